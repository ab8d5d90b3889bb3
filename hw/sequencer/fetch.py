"""Command fetch brings one command of the program into registers and checks its header, reserved bits and fields."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.products import Compared, ProductRule, product_rules
from ..arch.program import ADDRESS_BITS, COMMAND_BYTES, COMMANDS, HEADER, OPCODES, built
from ..arch.rules import header_word, named_bits
from ..interface.checker import comparators, raw_view
from ..interface.memory import read_request


class CommandFetch(wiring.Component):
    """Fetches a command, checks it and offers it.

    Meanwhile the next command is asked for, and it waits in the reader's buffer. Nothing is asked for behind an END or
    behind a command with a bad header, so that no read goes beyond the program.

    Latency: ``LATENCY`` cycles from ``start`` to the first request. Once a command's bus words are there, it takes one
    cycle for each of them and 3 cycles more until the command is offered.

    Members
    -------
    start, program : In, strobe, and the byte address of the command at which to begin
    o_request, i : Out stream of requests, In stream of the bus words that they bring
    command : Out, the raw bits of the command
    valid : Out(1), the command is complete and checked
    bad_header, bad_field : Out(1), with ``valid``: the header is wrong; it or a field is
    take : In(1), the command is done with, and the next is to be fetched
    """

    LATENCY = 1

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "start": In(1),
                "program": In(ADDRESS_BITS),
                "o_request": Out(stream.Signature(read_request())),
                "i": In(stream.Signature(c.bus_bits)),
                "command": Out(COMMAND_BYTES * 8),
                "valid": Out(1),
                "bad_header": Out(1),
                "bad_field": Out(1),
                "take": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.bus_bits
        beats = COMMAND_BYTES * 8 // bits
        beat = Signal(range(beats))
        address = Signal(ADDRESS_BITS)
        wanted = Signal()
        checking = Signal(2)
        end, taken = Signal(), Signal()
        command = Signal(COMMAND_BYTES * 8, reset_less=True)  # all of it has come before any of it counts
        ahead = Signal()  # the next command has been asked for already
        m.d.comb += [
            self.o_request.valid.eq(wanted),
            self.o_request.payload.address.eq(address),
            self.o_request.payload.beats.eq(beats),
            self.i.ready.eq(~self.valid & (checking == 0)),
            taken.eq(self.i.valid & self.i.ready),
            end.eq(taken & (beat == beats - 1)),
            self.command.eq(command),
        ]
        with m.If(self.o_request.valid & self.o_request.ready):
            m.d.sync += [wanted.eq(0), address.eq(address + COMMAND_BYTES)]
        m.d.sync += checking.eq(Cat(end, checking[0]))
        with m.If(checking[1]):
            more = ~self.bad_header & (self.command[:8] != OPCODES["END"])
            m.d.sync += [self.valid.eq(1), ahead.eq(more), wanted.eq(more)]
        with m.If(taken):
            m.d.sync += [
                beat.eq(beat + 1),
                command.eq(Cat(command[bits:], self.i.payload)),
            ]
        self._check_header(m, taken, beat)
        with m.If(self.take):
            m.d.sync += self.valid.eq(0)
            with m.If(~ahead):
                m.d.sync += wanted.eq(1)
        with m.If(self.start):
            m.d.sync += [wanted.eq(1), address.eq(self.program), beat.eq(0), self.valid.eq(0)]
        self._check_fields(m)
        return m

    def _check_header(self, m: Module, taken: Value, beat: Value) -> None:
        """Check each bus word in the cycle after it has come: no bit may be set that the fields do not name.

        The opcode, which says what fields there are, is in the first bus word, and so is the whole header.
        """
        bits = self.config.bus_bits
        word = self.command[-bits:]
        came, number = Signal(), Signal.like(beat)  # a word came in the cycle before, and which one of the command
        opcode = Signal(8)
        allowed = Signal(bits)
        m.d.sync += [came.eq(taken), number.eq(beat)]
        with m.If(taken & (beat == 0)):
            m.d.sync += opcode.eq(self.i.payload[:8])
        headers = [(word[:32] == header_word(name)) for name in OPCODES]
        known = Cat(headers).any()
        for name, code in OPCODES.items():
            with m.If(opcode == code):
                with m.Switch(number):
                    for n in range(COMMAND_BYTES * 8 // bits):
                        named = named_bits(HEADER + built(self.config, COMMANDS[name]))
                        part = named >> (n * bits) & ((1 << bits) - 1)
                        if part:
                            with m.Case(n):
                                m.d.comb += allowed.eq(part)
        reserved = (word & ~allowed).any()
        with m.If(came & (number == 0)):
            m.d.sync += self.bad_header.eq(~known | reserved)
        with m.Elif(came & reserved):
            m.d.sync += self.bad_header.eq(1)

    def _check_fields(self, m: Module) -> None:
        """Check the fields in two cycles: first every rule, then whether any rule of this opcode is broken.

        The header is known by then, so that a single register says whether the command is bad.

        A load whose rules speak of products has its products worked out in the first cycle and compared in the second.
        Those of a RUN take longer and are for :class:`reprise.hw.sequencer.products.ProductChecker`.
        """
        found = Const(0)
        for name, code in OPCODES.items():
            view = raw_view(self.command, name)
            rules = comparators(self.config, name, view)
            if rules:
                broken = Signal(len(rules), name=f"broken_{name.lower()}", reset_less=True)
                m.d.sync += broken.eq(Cat(rules))
                wrong = broken.any()
                if name != "RUN":
                    for rule in product_rules(self.config, name):
                        wrong = wrong | ~compared(m, rule, view)
                found = found | ((self.command[:8] == code) & wrong)
        m.d.sync += self.bad_field.eq(found | self.bad_header)


def compared(m: Module, rule: ProductRule, view: data.View) -> Value:
    """Return whether a rule is kept, as an expression that is right a cycle after the fields; see ``products``."""
    assert isinstance(rule, Compared)
    sides = []
    for terms in (rule.left, rule.right):
        held: list[Signal] = []
        for term in terms:
            product: Value = Const(1)
            for factor in term:
                product = product * ((view[factor.field] if factor.field else factor.number) - factor.less)
            held.append(Signal(product.shape(), name=f"product{len(held)}"))
            m.d.sync += held[-1].eq(product)
        sides.append(sum(held[1:], held[0]))
    kept = sides[0] == sides[1] if rule.equal else sides[0] <= sides[1]
    return kept | (view[rule.once] == 1) if rule.once else kept


def beats_of(c: HardwareConfig, size: Value) -> Value:
    """Return, as an expression, how many bus words hold ``size`` bytes."""
    shift = clog2(c.bus_bits // 8)
    return (size + (1 << shift) - 1) >> shift
