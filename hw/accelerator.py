"""The whole accelerator: the host's registers, the sequencer, and the data path with its AXI4 port to memory."""

from __future__ import annotations

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Member, Out

from .arch.config import HardwareConfig
from .axi.ports import lite_members, prefixed, read_members, write_members
from .axi.window import Windows
from .csr.counters import Counters
from .csr.register_map import COUNTERS, FIELDS
from .csr.registers import Registers
from .datapath import Datapath
from .interface.events import events_layout
from .lib.resets import BlockResets
from .sequencer.epoch import JobEpochs
from .sequencer.sequencer import Sequencer


class Accelerator(wiring.Component):
    """A product-sparse accelerator for multi-level spiking networks, which executes a program in memory by itself.

    The host writes a memory image (program, weights, parameters, input) into memory, then the program's address and
    CONTROL.start into registers. The interrupt says that the feature maps that the program computes are in memory, or
    that STATUS holds an error. (The product sparsity is that of Prosperity, HPCA 2025, arXiv 2503.03379; the
    multi-level neurons are those of arXiv 2510.24637.)

    ::

        s_axil -> [Registers] <-> [Sequencer] -> [Datapath: loaders, im2col, Core, OutputWriter] <-> m_axi

    Latency: the register of the interrupt is set ``DONE`` cycles after the sequencer ends a job. By then the counters
    have seen the job's last event.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    s_axil_* : AXI4-Lite slave, 32 bits (docs/registers.md)
    m_axi_* : AXI4 master with ``bus_bits`` data bits, ADDRESS_BITS address bits, INCR bursts and a single ID
    irq : Out(1), interrupt, which stays high while a bit is set in both IRQ_STATUS and IRQ_ENABLE
    profile : Out, the events of the cycle (``reprise.hw.interface.events``), for test benches and logic analysers
    """

    DONE = 2

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                **prefixed("s_axil", lite_members()),
                **prefixed("m_axi", read_members(config.bus_bits)),
                **prefixed("m_axi", write_members(config.bus_bits)),
                "irq": Out(1),
                "profile": Out(events_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.registers = registers = Registers()
        m.submodules.counters = counters = Counters(c)
        m.submodules.sequencer = sequencer = Sequencer(c)
        m.submodules.windows = windows = Windows(c)
        m.submodules.epochs = epochs = JobEpochs(c)
        datapath = Datapath(c)
        ending = Signal()
        m.submodules.datapath = BlockResets(datapath, sequencer.reset)
        self._join(m, "s_axil", registers, lite_members())
        self._join(m, "m_axi", datapath, read_members(c.bus_bits) | write_members(c.bus_bits))
        m.d.comb += [
            datapath.begin.eq(sequencer.begin),
            windows.start.eq(sequencer.started),
            windows.i_program.eq(Cat(registers.program_lo_value, registers.program_hi_value)),
            *(
                getattr(windows, f"i_{which}")[what].eq(
                    Cat(*(getattr(registers, f"{which}_{what}_{half}_value") for half in ("lo", "hi")))
                )
                for which in ("read", "write")
                for what in ("base", "size")
            ),
            sequencer.bad_start.eq(windows.bad),
            epochs.done.eq(sequencer.done),
            datapath.epoch.eq(epochs.epoch),
            datapath.clear.eq(epochs.clear),
            datapath.clear_entry.eq(epochs.entry),
            sequencer.bus_quiet.eq(datapath.bus_quiet & ~epochs.clear),
            datapath.program.eq(windows.program),
            datapath.read_window.eq(windows.read),
            datapath.write_window.eq(windows.write),
            datapath.enable.eq(sequencer.enable),
            datapath.halt.eq(sequencer.halt),
            *(
                getattr(sequencer, name).eq(getattr(datapath, name))
                for name in (
                    *("finished", "command_error", "command_code", "taken", "progress"),
                    *("read_error", "write_error", "read_outside", "write_outside", "bad_data", "unloaded"),
                )
            ),
            # From the end of a job to the flag ``done`` the host still sees it in progress.
            sequencer.start.eq(registers.control_start & ~ending),
            sequencer.stop.eq(registers.control_stop),
            sequencer.watchdog.eq(registers.watchdog_value),
            self.profile.eq(datapath.events),
            counters.events.eq(datapath.events),
            counters.clear.eq(sequencer.started),
            counters.run.eq(sequencer.busy),
        ]
        self._registers(m, registers, sequencer, counters, ending)
        return m

    def _join(self, m: Module, prefix: str, inner: wiring.Component, members: dict[str, Member]) -> None:
        for name, member in members.items():
            port, signal = getattr(self, f"{prefix}_{name}"), getattr(inner, name)
            m.d.comb += port.eq(signal) if member.flow == Out else signal.eq(port)

    def _registers(
        self, m: Module, registers: Registers, sequencer: Sequencer, counters: Counters, ending: Signal
    ) -> None:
        """Connect the registers that the host only reads, the status flags and the interrupt."""
        c = self.config
        done, refused, finished = Signal(), Signal(), Signal()
        for register, field in (("ID", "value"), ("VERSION", "minor"), ("VERSION", "major")):
            m.d.comb += getattr(registers, f"{register.lower()}_{field}").eq(FIELDS[register][field][3])
        # The counters see an event one cycle late, so the last snapshot of a job comes two cycles after its end.
        late = Signal()
        m.d.sync += [finished.eq(sequencer.done), late.eq(finished)]
        m.d.comb += [
            registers.config_hash_value.eq(int(c.digest()[:8], 16)),
            registers.bus_word_bytes.eq(c.bus_bits // 8),
            ending.eq(sequencer.done | finished | late),
            registers.status_busy.eq(sequencer.busy | ending),
            registers.status_done.eq(done),
            registers.status_refused.eq(refused),
            registers.status_bus_hung.eq(sequencer.bus_hung),
            registers.status_error.eq(sequencer.code),
            registers.status_command.eq(sequencer.index),
            registers.irq_status_done_set.eq(late),
            self.irq.eq(registers.irq_status_done & registers.irq_enable_done),
            counters.snapshot.eq(registers.control_snapshot | finished),
            Cat(registers.cycles_lo_value, registers.cycles_hi_value).eq(counters.cycles),
            *(getattr(registers, f"{name.lower()}_value").eq(counters.value[n]) for n, name in enumerate(COUNTERS)),
        ]
        with m.If(late):
            m.d.sync += done.eq(1)
        with m.If(registers.control_start & registers.status_busy):
            m.d.sync += refused.eq(1)
        with m.If(sequencer.started):
            m.d.sync += [done.eq(0), refused.eq(0)]
