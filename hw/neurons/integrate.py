"""The second part of the neuron array adds up the planes of a position and the leaked membrane potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.row_order import contexts
from ..interface.streams import addend_group, layer_config, neuron_params
from ..lib.fanout import fan_out, parts, replicate
from .layouts import neuron_psums, neuron_step, neuron_sum, potential_write

LOW = 17
"""Bits in the lower half of a wide factor: together with a sign bit of 0 they fill an 18-bit signed multiplier."""


def halves(value: Value, factor: Value) -> list[Value]:
    """Return ``value * factor`` (signed times unsigned) as one product, or two to be added.

    Where there are two, the second must be shifted up by ``LOW`` bits before the addition.
    """
    if len(value) <= LOW + 1:
        return [value * factor]
    return [value[:LOW] * factor, value[LOW:].as_signed() * factor]


class NeuronIntegrate(wiring.Component):
    """Computes ``U = (V * l >> 8) + c + sum over planes of weight * psum`` for a group of channels per cycle.

    There are two state memories, which are read asynchronously (distributed RAM). Each has a second page that holds
    what the state starts from, so that no multiplexer is needed to start it:

    - The running sum of the planes has a word per group; the first plane reads from the page of biases instead.
    - The membrane potential has a word per context (position of a block and group); the first timestep reads from the
      page of v0 instead.

    Each memory is cut by lanes into parts. Every part takes its read address, its write and the load of its parameters
    from registers of its own (:mod:`reprise.hw.lib.fanout`).

    The running sum is read, added to and written in one cycle, so rows of a single group follow each other without a
    bubble. A plane weighs a power of two, by which a DSP shifts, or the negative of one. For a negative weight the
    partial sums come inverted, ones are shifted in from below, and a 1 is carried into the sum. Multipliers are 18 bits
    wide: a wider factor is cut in two (:func:`halves`), both products are registered as they are, and the next adder
    joins them. Sums wrap modulo 2**membrane_bits. The export proves that the final sums fit, so intermediate sums may
    wrap.

    Latency: ``LATENCY`` cycles. The four stages hold the shifted partial sums, the running sum and the potential, the
    products of the leak, and U. Throughput: one group per cycle. Nothing in here waits: the potential of the timestep
    before must be written in the cycle after a group came at the latest, and whoever reads ``o`` must take every item
    as it comes.

    Members
    -------
    i : In(stream of neuron_psums, always ready)
        The partial sums of one group in one plane.
    i_params : In(stream of neuron_params)
        The parameters of one group per cycle, which are taken at once and written a cycle later. The caller lets none
        through while groups are in the pipeline.
    i_write : In(potential_write)
        Says that in the next cycle ``i_potential`` is the membrane potential of this context after its timestep.
    i_potential : In
        The membrane potential of every lane, signed, ``membrane_bits`` wide.
    i_addend : In(stream of addend_group)
        Where addends are built: what is added to the sum of the planes. It is taken in the cycle in which it is needed,
        by which it must have come.
    i_layer : In(layer_config)
        Where addends are built: says whether the layer has one.
    o : Out(stream of neuron_sum, always ready)
        U and the threshold of a group. Only groups whose planes are complete come here.
    o_next : Out(potential_write)
        Says that in the next cycle the sum at ``o`` is a potential that a later timestep needs, and its context.
    """

    LATENCY = 4
    PLANES = 2
    """Cycles until a plane is in the running sum; only groups whose planes are complete go on from there."""

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        super().__init__(
            {
                "i": In(stream.Signature(neuron_psums(c), always_ready=True)),
                "i_params": In(stream.Signature(neuron_params(c), always_ready=True)),
                "i_write": In(potential_write(c)),
                "i_potential": In(data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes)),
                "o": Out(stream.Signature(neuron_sum(c), always_ready=True)),
                "o_next": Out(potential_write(c)),
                **(
                    {"i_addend": In(stream.Signature(addend_group(c))), "i_layer": In(layer_config(c))}
                    if c.addend_groups
                    else {}
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        total = [
            Signal(data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes), name=f"total{k}", reset_less=True)
            for k in range(2)
        ]
        step = [Signal(neuron_step(c), name=f"step{k}", reset_less=True) for k in range(3)]
        result = Signal(neuron_sum(c), reset_less=True)
        valid = [Signal(name=f"valid{k}") for k in range(3)]
        m.d.comb += [
            self.o.payload.eq(result),
            self.o_next.valid.eq(valid[2] & ~step[2].last_t),
            self.o_next.context.eq(step[2].context),
        ]
        self._take_parameters(m)
        sums = self._add_planes(m, valid[0], step[0], self._shift(m))
        whole = self._with_addend(m, valid[1], total[0]) if c.addend_groups else total[0]
        potential, now = self._potential(m), self._parameter(m, "leak", step[0].group)
        threshold = self._parameter(m, "threshold", step[2].group)
        complete = valid[0] & step[0].last_plane
        m.d.sync += [valid[0].eq(self.i.valid), valid[1].eq(complete), valid[2].eq(valid[1]), self.o.valid.eq(valid[2])]
        with m.If(self.i.valid):
            m.d.sync += step[0].eq(self.i.payload.step)
        with m.If(valid[0]):
            m.d.sync += step[1].eq(step[0])
        with m.If(valid[1]):
            m.d.sync += step[2].eq(step[1])
        with m.If(valid[2]):
            m.d.sync += result.step.eq(step[2])
        old, leak = (Signal.like(one, name=f"held{k}", reset_less=True) for k, one in enumerate((potential, now)))
        for n, comes in enumerate(self._comes(m, (self.i.valid, complete, valid[1]))):
            with m.If(comes[0]):
                m.d.sync += [old[n].eq(potential[n]), leak[n].eq(now[n])]
            leaked = self._leak(m, old[n], leak[n], comes[1])
            for stage, value in enumerate((sums[n], whole[n])):
                with m.If(comes[stage]):
                    m.d.sync += total[stage][n].eq(value)
            with m.If(comes[2]):
                m.d.sync += [result.sum[n].eq(total[1][n] + leaked), result.threshold[n].eq(threshold[n])]
        return m

    def _comes(self, m: Module, flags: Sequence[Value]) -> list[tuple[Value, ...]]:
        """Return the flags a cycle later for every lane, from registers for each part of the lanes.

        What a stage holds of a lane changes only where a group comes, as they say.
        """
        lanes = self.config.neuron_lanes
        copies = [fan_out(m, flag, lanes, name=f"comes{k}_") for k, flag in enumerate(flags)]
        return list(zip(*([own for part, own in one for _ in part] for one in copies), strict=True))

    def _with_addend(self, m: Module, valid: Value, total: data.View) -> data.View:
        """Return the sums of complete planes with the addend of the layer, which is taken when they are ``valid``."""
        c = self.config
        sums = Signal(data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes), name="with_addend")
        some = Signal()
        m.d.comb += [some.eq(self.i_layer.addend_bytes != 0), self.i_addend.ready.eq(valid & some)]
        for lanes, own in fan_out(m, some, c.neuron_lanes, name="adds"):
            for n in lanes:
                m.d.comb += sums[n].eq(
                    total[n] + (self.i_addend.payload[n] & own.replicate(c.membrane_bits)).as_signed()
                )
        return sums

    def _shift(self, m: Module) -> list[Value]:
        """Build the first stage, which shifts the partial sums, and return the term that each lane's plane adds."""
        c, psums = self.config, self.i.payload
        terms: list[Value] = []
        negatives = fan_out(m, Cat(psums.negative, psums.fill), c.neuron_lanes, name="negative")
        for (lanes, negative), weight in zip(negatives, psums.weight, strict=True):
            for n in lanes:
                term = Signal(c.membrane_bits, name=f"term{n}")
                products = self._register(m, halves(psums.psum[n], weight), "shifted", self.i.valid)
                # The factor is a power of two, so the two shifted halves have no bit in common and OR is enough.
                whole = products[0] if len(products) == 1 else products[0] | (products[1] << LOW)
                m.d.comb += term.eq(whole | negative[1:])
                terms.append(Cat(negative[0], term))
        return terms

    def _potential(self, m: Module) -> data.View:
        """Return, in the second stage, the potential of the timestep before.

        It comes from the memory or, if it is being written in this very cycle, straight from ``i_potential``.
        """
        page, write, lanes = contexts(self.config), self.i_write, self.config.neuron_lanes
        writes = [(w[0], w[1:]) for w in replicate(m, Cat(write.valid, write.context), len(parts(lanes)), name="write")]
        read = self._state(m, "potential", page, self._potential_address(m), writes, self.i_potential, self.params.v0)
        potential = Signal.like(self.i_potential)
        # The first timestep never meets such a write: all writes of the position before are over by then.
        hazard = write.valid & (write.context == self.i.payload.step.context)
        for part, same in fan_out(m, hazard, lanes, name="same"):
            m.d.comb += [potential[n].eq(Mux(same, self.i_potential[n], read[n])) for n in part]
        return potential

    def _potential_address(self, m: Module) -> Value:
        """Return where the potential of the coming group lies: in the page of v0 at its first timestep."""
        step = self.i.payload.step
        word = Signal.like(step.context)
        m.d.comb += word.eq(Mux(step.first_t, step.group, step.context))
        return Cat(word, step.first_t)

    def _running_address(self) -> Value:
        """Return where the running sum of the coming group lies: in the page of biases at its first plane."""
        step = self.i.payload.step
        return Cat(step.group, step.first_plane)

    def _add_planes(self, m: Module, write: Value, step: data.View, terms: list[Value]) -> data.View:
        """Return the sums of all planes so far, which the next plane reads a cycle later."""
        c = self.config
        sums = Signal(data.ArrayLayout(signed(c.membrane_bits), c.neuron_lanes))
        # The sum is written to the group's word in the lower page, wherever it was read from.
        page, writes = 1 << len(step.group), [(write, None)] * len(parts(c.neuron_lanes))
        running = self._state(m, "running", page, self._running_address(), writes, sums, self.params.bias)
        for n, term in enumerate(terms):
            # The addition has one more bit at the bottom, whose carry is the 1 that a negated term still needs.
            m.d.comb += sums[n].eq((Cat(C(1, 1), running[n]) + term)[1:])
        return sums

    def _leak(self, m: Module, old: Value, leak: Value, comes: Value) -> Value:
        """Return ``old * leak >> 8``; its products are registered where something ``comes``, and their sum is not."""
        products = self._register(m, halves(old, leak), "leak", comes)
        if len(products) == 1:
            return products[0] >> 8
        return (products[0] >> 8) + (products[1] << (LOW - 8))

    def _register(self, m: Module, values: list, name: str, comes: Value) -> list[Value]:
        """Return the values one pipeline stage later, where something ``comes``."""
        held = [Signal(v.shape(), name=f"{name}{k}", reset_less=True) for k, v in enumerate(values)]
        with m.If(comes):
            m.d.sync += [k.eq(v) for k, v in zip(held, values, strict=True)]
        return held

    def _memory(self, m: Module, name: str, shape: ShapeLike, depth: int) -> tuple[memory.ReadPort, memory.WritePort]:
        """Add a memory that is read without a clock, and return its two ports."""
        store = memory.Memory(shape=shape, depth=depth, init=[])
        m.submodules[name] = store
        return store.read_port(domain="comb"), store.write_port()

    def _take_parameters(self, m: Module) -> None:
        """Register the parameters for a cycle, beside the memories that they are written to."""
        self.params = Signal(neuron_params(self.config), reset_less=True)
        m.d.sync += self.params.eq(self.i_params.payload)
        load = Cat(self.i_params.valid, self.i_params.payload.group)
        self.loads = [(own[0], own[1:]) for _, own in fan_out(m, load, self.config.neuron_lanes, name="load")]

    def _state(
        self,
        m: Module,
        name: str,
        page: int,
        coming: Value,
        writes: Sequence[tuple[Value, Value | None]],
        value: data.View,
        start: data.View,
    ) -> data.View:
        """Keep a state in the lower page of a memory, and in the upper page what it starts from, a word per group.

        Return the word of all lanes at the address that ``coming`` had a cycle before. For every part of the lanes,
        ``writes`` says whether ``value`` is written, and to which word; None means the word that is being read.
        """
        state = Signal.like(value, name=name)
        cut = parts(self.config.neuron_lanes)
        addresses = replicate(m, coming, len(cut), name=f"{name}_address")
        # After reset some parts write once, because their registers start differently. That does no harm: no run has
        # begun, and the parameters are loaded before one does.
        ports = zip(cut, self.loads, writes, addresses, strict=True)
        for k, (part, (load, group), (write, word), address) in enumerate(ports):
            word = address[: (page - 1).bit_length()] if word is None else word
            layout = data.ArrayLayout(signed(self.config.membrane_bits), len(part))
            read, port = self._memory(m, f"{name}_part{k}", layout, 2 * page)
            m.d.comb += [read.addr.eq(address), port.en.eq(write | load)]
            m.d.comb += port.addr.eq(Mux(load, group + page, word))
            for n, lane in enumerate(part):
                m.d.comb += [port.data[n].eq(Mux(load, start[lane], value[lane])), state[lane].eq(read.data[n])]
        return state

    def _parameter(self, m: Module, name: str, address: Value) -> Any:
        """Keep a parameter of every group in a memory, and return the one at ``address``."""
        field = self.params[name]
        read, port = self._memory(m, name, field.shape(), max(2, self.config.groups))
        m.d.comb += [
            read.addr.eq(address),
            port.en.eq(self.loads[0][0]),
            port.addr.eq(self.loads[0][1]),
            port.data.eq(field),
        ]
        return read.data
