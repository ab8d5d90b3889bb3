"""The job scheduler issues checked commands in order, each when what it needs is free."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.program import COMMAND_BYTES, OPCODES, PARAM_BYTES, SEGMENT_BYTES, Error
from ..arch.rules import follows
from ..interface.checker import raw_view
from ..interface.commands import LOAD_JOB, Kind, run_layout
from .fetch import beats_of

LOAD_CHECK = 4
"""Cycles, with some to spare, after which a load that has ended is known to have brought nothing bad. Before that no
load of the next run can have brought anything, because its command is still to be fetched."""


class JobScheduler(wiring.Component):
    """Issues checked commands in order, each when what it needs is free.

    - A LOAD is issued when the loader takes it. (The data path holds the parameters of LOAD_PARAMS back until the run
      before has ended.)
    - A RUN is issued in three steps. Its front, which is the row table and the weights, is prepared as soon as the
      front of the run before is free. Its rows start when all loads but those of parameters are complete, although the
      run before is still being drained, if the rules about products hold, which are worked out beside that. The run
      starts, with its partial sums, neurons and output, when all loads are complete and the run before has ended. If
      nothing is in its way, its rows start with it; nothing that the run computes may be written before the rules about
      products are worked out.
    - A RUN whose weights do not lie in the host's read window is refused when its rules about products hold.
    - A command that breaks a rule is refused when all before it are done and all writes have been answered, so that
      their errors come first.
    - BARRIER and END are issued when no load and no run is under way and all writes have been answered. END waits some
      cycles more after a load, until it is known that the load has brought nothing bad.

    Members
    -------
    command, valid, bad_header, bad_field, take : what the command fetch offers, and ``take`` back to it; the bits of
        ``command`` are there at least a cycle before ``valid``
    products_done : In(1), the rules about products of the RUN in ``front`` are worked out
    bad_product, weights_outside : In(1), then: one is broken; its weights leave the read window
    enable : In(1), commands may be issued
    o_load : Out stream of LOAD_JOB
    front, front_start : Out, for the front: fields of the RUN that is prepared or in progress; strobe to prepare it
    front_busy : In(1), the front has rows or weights left; it rises in the cycle after ``front_start``
    prepared : Out(1), a RUN has been handed to the front and has not started yet
    rows_start : Out(1), strobe: the rows of the RUN in ``front`` start
    rows_ahead : Out(1), the rows of the RUN in ``front`` have started, and the run has not
    run, run_start : Out, fields of the RUN in progress; strobe at its start, in whose cycle the fields are there
    run_done : In(1), the run's last word has been handed out; it falls in the cycle after ``run_start``
    run_busy : Out(1), a run is in progress
    run_ends : Out(1), strobe: it will not be in the next cycle
    may_write : Out(1), all rules of the run in progress are worked out, so that what it computes may be written
    may_hand_on : Out(1), the same, from a register beside the output writer
    loads_idle, rows_loaded : In(1), no load is under way; none but one of parameters
    writes_idle : In(1), all writes have been answered
    finished : Out(1), strobe: the END command is reached
    error, code : Out, a command was refused in the cycle before; the error code that says why
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "command": In(COMMAND_BYTES * 8),
                "valid": In(1),
                "bad_header": In(1),
                "bad_field": In(1),
                "products_done": In(1),
                "bad_product": In(1),
                "weights_outside": In(1),
                "take": Out(1),
                "enable": In(1),
                "o_load": Out(stream.Signature(LOAD_JOB)),
                "front": Out(run_layout(config)),
                "front_start": Out(1),
                "front_busy": In(1),
                "prepared": Out(1),
                "rows_start": Out(1),
                "rows_ahead": Out(1),
                "run": Out(run_layout(config)),
                "run_start": Out(1),
                "run_done": In(1),
                "run_busy": Out(1),
                "run_ends": Out(1),
                "may_write": Out(1),
                "may_hand_on": Out(1),
                "loads_idle": In(1),
                "rows_loaded": In(1),
                "writes_idle": In(1),
                "finished": Out(1),
                "error": Out(1),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        opcode = self.command[:8]
        # Which command it is stands in registers, as it is there at least a cycle before ``valid``.
        self.named = {name: Signal(name=f"is_{name.lower()}") for name in OPCODES}
        m.d.sync += [flag.eq(opcode == OPCODES[name]) for name, flag in self.named.items()]
        job = Signal()
        m.d.comb += job.eq(self.valid & self.enable)
        front_used = Signal()  # the front still works for the run in progress
        m.d.sync += [self.run_start.eq(0), self.front_start.eq(0), self.rows_start.eq(0)]
        with m.If(~self.front_busy & ~self.front_start & ~self.prepared):
            m.d.sync += front_used.eq(0)
        m.d.comb += self.run_ends.eq(self.run_busy & ~self.run_start & self.run_done & ~front_used)
        with m.If(self.run_ends):
            m.d.sync += self.run_busy.eq(0)
        run = raw_view(self.command, "RUN")
        unready: Value = Const(0)
        for rule in follows(self.config, "RUN"):
            held = self.front[rule.before]  # the run before, which stays in the front, left what this one goes on with
            differs = Cat(run[name] != self.front[name] for name in rule.same).any()
            unready = unready | (run[rule.flag] != held) | (held & differs)
        # Found a cycle ahead, because when it is asked neither the command nor ``front`` has just changed.
        follows_badly = Signal()
        m.d.sync += follows_badly.eq((opcode == OPCODES["RUN"]) & unready)
        bad_field = self.bad_field | (follows_badly & ~self.prepared)
        idle_for, settled = Signal(LOAD_CHECK), Signal()  # all loads have ended, and what they brought is known
        m.d.comb += settled.eq(self.loads_idle & idle_for.all())
        m.d.sync += idle_for.eq(Mux(self.loads_idle, Cat(1, idle_for), 0))
        bad, refused, known = Signal(), Signal(), Signal()
        m.d.comb += [
            bad.eq(job & bad_field),
            refused.eq(bad & settled & ~self.run_busy & ~self.prepared & self.writes_idle),
            # In the cycle of ``front_start`` the products are still those of the RUN before.
            known.eq(self.products_done & ~self.front_start),
        ]
        self._refuse(m, refused, known)
        self._let_write(m, known)
        self._hand_on(m)
        broken = self.bad_product | self.weights_outside
        with m.If(job & ~bad):
            with m.Switch(Cat(self.named.values())):
                for name in ("LOAD_FEATURES", "LOAD_SEGMENTS", "LOAD_PARAMS"):
                    with m.Case(self._alone(name)):
                        self._load(m, name)
                with m.Case(self._alone("RUN")):
                    with m.If(~self.prepared & ~front_used & known):
                        m.d.sync += [self.prepared.eq(1), self.front_start.eq(1)]
                        m.d.sync += [self.front[f].eq(run[f]) for f in self.front.shape().members]
                    with m.If(self.prepared & self.loads_idle & ~self.run_busy):
                        m.d.comb += self.take.eq(1)
                        m.d.sync += [self.run_start.eq(1), self.run_busy.eq(1)]
                        m.d.sync += [self.prepared.eq(0), front_used.eq(1)]
                        m.d.sync += [self.rows_start.eq(~self.rows_ahead), self.rows_ahead.eq(0)]
                    with m.Elif(self.prepared & ~self.rows_ahead & self.rows_loaded & known & ~broken):
                        m.d.sync += [self.rows_start.eq(1), self.rows_ahead.eq(1)]
                with m.Default():
                    with m.If(self.loads_idle & ~self.run_busy & self.writes_idle):
                        is_end = self.named["END"]
                        m.d.comb += [self.take.eq(~is_end), self.finished.eq(is_end & settled)]
        return m

    def _hand_on(self, m: Module) -> None:
        """Keep the fields of the run in progress. Before it starts nobody needs the old ones, so they do not wait."""
        run = Signal(run_layout(self.config), reset_less=True)
        with m.If(self.prepared & ~self.run_busy):
            m.d.sync += [run[f].eq(self.front[f]) for f in run.shape().members]
        m.d.comb += self.run.eq(run)

    def _alone(self, name: str) -> int:
        """Return the one-hot code of a command."""
        return 1 << list(self.named).index(name)

    def _refuse(self, m: Module, refused: Value, known: Value) -> None:
        """Report the command that is refused, or else the first thing for which the RUN in progress is."""
        bad_product, outside, unloaded = Signal(), Signal(), Signal()
        m.d.comb += [
            bad_product.eq(self.enable & known & ~self.prepared & self.bad_product),
            outside.eq(self.enable & known & ~self.prepared & self.weights_outside),
            unloaded.eq(self.enable & known & ~self.prepared & self._lacks_params(m)),
        ]
        m.d.sync += [
            self.error.eq(bad_product | outside | unloaded | refused),
            self.code.eq(Mux(self.bad_header, Error.COMMAND.value, Error.FIELD.value)),
        ]
        with m.If(bad_product):
            m.d.sync += self.code.eq(Error.FIELD.value)
        with m.Elif(outside):
            m.d.sync += self.code.eq(Error.READ_WINDOW.value)
        with m.Elif(unloaded):
            m.d.sync += self.code.eq(Error.UNLOADED.value)

    def _let_write(self, m: Module, known: Value) -> None:
        """Say when the run in progress may write. The rules of the next one are not begun before that."""
        following, held = Signal(), Signal(init=1)  # the opposite, which synthesis keeps as a register of its own
        m.d.comb += [following.eq(self.may_write | known), self.may_hand_on.eq(~held)]
        with m.If(self.take & self.named["RUN"]):
            m.d.comb += following.eq(known)
        m.d.sync += [self.may_write.eq(following), held.eq(~following)]

    def _lacks_params(self, m: Module) -> Signal:
        """Return whether the RUN that was taken last has more groups than the job had loaded parameters for."""
        loaded, lacks = Signal(range(self.config.groups + 1)), Signal()
        load, run = raw_view(self.command, "LOAD_PARAMS"), raw_view(self.command, "RUN")
        with m.If(self.take & self.named["LOAD_PARAMS"] & (load.groups > loaded)):
            m.d.sync += loaded.eq(load.groups)
        with m.If(self.take & self.named["RUN"]):
            m.d.sync += lacks.eq(run.groups > loaded)
        return lacks

    def _load(self, m: Module, name: str) -> None:
        """Hand a LOAD command to the loader as a job."""
        c = self.config
        view, load = raw_view(self.command, name), self.o_load.payload
        m.d.comb += [
            self.o_load.valid.eq(1),
            self.take.eq(self.o_load.ready),
            load.source.eq(view.source),
        ]
        if name == "LOAD_FEATURES":
            m.d.comb += [
                load.kind.eq(Kind.FEATURES),
                load.beats.eq(view.bytes >> clog2(c.bus_bits // 8)),
                load.chunks.eq(view.chunks),
                load.stride.eq(view.stride),
                load.target.eq(view.target),
                load.target_stride.eq(view.target_stride),
                load.wait.eq(view.wait),
            ]
        elif name == "LOAD_SEGMENTS":
            m.d.comb += [
                load.kind.eq(Kind.SEGMENTS),
                load.beats.eq(beats_of(c, view.count * SEGMENT_BYTES)),
                load.chunks.eq(1),
                load.target.eq(view.target),
                load.items.eq(view.count),
            ]
        else:
            m.d.comb += [
                load.kind.eq(Kind.PARAMS),
                load.beats.eq(beats_of(c, view.groups * (c.neuron_lanes * PARAM_BYTES))),
                load.chunks.eq(1),
                load.items.eq(view.groups),
            ]
