"""Tables of commands, segments and error codes, from ``hw/arch/program.py`` and ``hw/arch/rules.py``."""

from __future__ import annotations

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.products import product_rules
from reprise.hw.arch.program import (
    COMMAND_BYTES,
    COMMANDS,
    HEADER,
    OPCODES,
    PARAM_BYTES,
    PARAMETERS,
    SEGMENT,
    SEGMENT_BYTES,
    Error,
    Field,
)
from reprise.hw.arch.rule_kinds import Rule
from reprise.hw.arch.rules import ORDER_RULES, data_rules, follows, rules


def _place(f: Field) -> str:
    word = f"{f.word}" if f.bits <= 32 else f"{f.word}, {f.word + f.bits // 32 - 1}"
    return f"{word} | {f.offset + f.bits - 1 if f.bits <= 32 else 31}:{f.offset}"


def _fields(fields: list[Field], limits: dict[str, list[str]] | None = None) -> list[str]:
    """Return a table of fields, with a column of their limits where there are rules."""
    lines = ["| word | bits | field | meaning |", "|---|---|---|---|"]
    if limits is not None:
        lines = ["| word | bits | field | must be | meaning |", "|---|---|---|---|---|"]
    for f in sorted(fields, key=lambda f: (f.word, f.offset)):
        sign = " (signed)" if f.signed else ""
        limit = "" if limits is None else f"{'; '.join(limits.get(f.name, []))} | "
        lines.append(f"| {_place(f)} | `{f.name}`{sign} | {limit}{f.doc} |")
    return lines


def limits(opcode: str) -> dict[str, list[str]]:
    """Return what the rules say of each field, with names of limits instead of one configuration's numbers."""
    found = _limits(rules(HardwareConfig(), opcode))  # the names are the same in every configuration
    for rule in follows(HardwareConfig(), opcode):
        found.setdefault(rule.flag, []).append(rule.limit(opcode))
    return found


def _limits(kept: tuple[Rule, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for rule in kept:
        text = rule.limit(lambda bound: bound.name)
        if rule.subject not in rule.fields:
            text = f"{rule.subject}: {text}"
        for name in rule.fields:
            found.setdefault(name, []).append(text)
    return found


def _products(opcode: str) -> list[str]:
    """Return the rules about products, as formulas."""
    lines = [rule.words() for rule in product_rules(HardwareConfig(), opcode)]
    return ["Together the fields must keep:", "", *(f"- `{words}`" for words in lines), ""] if lines else []


def table() -> str:
    """Make the tables of all commands, of a segment, and of the error codes."""
    lines = [f"Every command is {COMMAND_BYTES} bytes and begins with:", "", *_fields(HEADER), ""]
    for name, fields in COMMANDS.items():
        lines += [f"### {name} (opcode {OPCODES[name]})", ""]
        lines += [*_fields(fields, limits(name)), ""] if fields else ["No fields.", ""]
        lines += _products(name)
    c = HardwareConfig()
    lines += [f"### Segment ({SEGMENT_BYTES} bytes)", "", *_fields(SEGMENT, _limits(data_rules(c, "segment"))), ""]
    lines += [f"### Parameters of a channel ({PARAM_BYTES} bytes)", ""]
    lines += [*_fields(PARAMETERS, _limits(data_rules(c, "parameters"))), ""]
    lines += ["### Rules of order", "", *(f"- `{name}`: {text}" for name, text in ORDER_RULES.items()), ""]
    lines += ["### Error codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {error.value} | {error.text} |" for error in Error]
    return "\n".join(lines)
