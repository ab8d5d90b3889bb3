"""The programs at the boundaries of the rules: what they are, and that a bound that is off by one is told by them."""

from dataclasses import replace

import pytest

from reprise.flow.handoff.bench.boundaries import boundaries
from reprise.flow.handoff.bench.refused import boundary_programs
from reprise.flow.handoff.vectors import make_vectors
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.products import product_violations
from reprise.hw.arch.program import COMMANDS, LOOPS, PARAMETERS, SEGMENT, Error, unpack_fields
from reprise.hw.arch.rule_kinds import Bound, Range
from reprise.hw.arch.rules import data_rules, order_violations, rules, violations

TINY = HardwareConfig.load("tiny")

TWICE = {
    "LOAD_FEATURES.target high",  # the end of what is loaded
    "LOAD_FEATURES.bytes low",  # whole bus words
    "LOAD_SEGMENTS.count high",  # the sum with target
    "segment.length high",  # the sum with shift
    *("RUN.channels high", "RUN.channels low", "RUN.groups high", "RUN.groups low"),  # one follows from the other
    *(f"RUN.{field} low" for field in ("planes", "timesteps", "images", "pool", "out_lines", "out_width")),  # no rows
    *(f"RUN.loop{n}_count low" for n in range(LOOPS)),
}
"""Bounds that another rule enforces, too, so that no program can tell whether they are right."""


@pytest.fixture(scope="module")
def vectors():
    return make_vectors(TINY)


@pytest.fixture(scope="module")
def found(vectors):
    return boundaries(vectors.image)


def values(one):
    """The fields that are at a boundary, of a command or of loaded data."""
    if one.mutant.data:
        fields = SEGMENT if one.key[0] == "segment" else PARAMETERS
        return unpack_fields(fields, next(iter(one.mutant.data.values())))
    return one.mutant.commands[one.at][1]


def test_one_rule_is_broken_or_none(found):
    for one in found:
        what, f = one.key[0], values(one)
        if what in COMMANDS:
            told = violations(TINY, what, f) + product_violations(TINY, what, f) + order_violations(TINY, what, f, None)
        else:
            told = [rule for rule in data_rules(TINY, what) if not rule.holds(f)]
        assert len(told) == one.broken, (one.key, told)


def moved(rule):
    """The rule with each of its bounds one smaller and one larger."""
    for name in ("high", "most"):
        if hasattr(rule, name):
            bound = getattr(rule, name)
            yield from ((name, replace(rule, **{name: Bound(bound.value + step, "")})) for step in (1, -1))
    if isinstance(rule, Range):
        yield from (("low", replace(rule, low=rule.low + step)) for step in (1, -1))


@pytest.mark.parametrize("what", [*(name for name in COMMANDS if rules(TINY, name)), "segment", "parameters"])
def test_a_bound_that_is_off_by_one_decides_otherwise(found, what):
    """Of each rule, except where the field has too few bits to pass the bound, or another rule refuses the same."""
    mine = [values(one) for one in found if one.key[0] == what]
    fields = COMMANDS.get(what, SEGMENT if what == "segment" else PARAMETERS)
    undecided = set()
    for rule in rules(TINY, what) if what in COMMANDS else data_rules(TINY, what):
        bits, signed = next((f.bits, f.signed) for f in fields if f.name in rule.fields)
        for name, wrong in moved(rule):
            bound = rule.low if name == "low" else getattr(rule, name).value
            passed = bound > (-(1 << bits - 1) if signed else 0) if name == "low" else bound < (1 << bits - signed) - 1
            if passed and not any(wrong.holds(f) != rule.holds(f) for f in mine):
                undecided.add(f"{what}.{rule.fields[0]} {name}")
    assert undecided == {one for one in TWICE if one.startswith(f"{what}.")}


def test_how_the_interpreter_ends_them(vectors, found):
    """What breaks a rule is refused for that, and what keeps all of them goes on, nearly always to the next command."""
    cases = boundary_programs(vectors.image, vectors.image.initial_memory(vectors.pixels, 0xA5), found)
    codes = [case.code for case in cases]
    assert codes.count(Error.FIELD) + codes.count(Error.DATA) >= sum(one.broken for one in found)
    assert codes.count(Error.COMMAND) > 0.9 * sum(not one.broken for one in found)
    assert {case.name for case in cases if case.ahead} <= {"FIELD", "UNLOADED", "READ_WINDOW", "WRITE_WINDOW"}
