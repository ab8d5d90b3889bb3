"""The data path is all of the accelerator that is reset between jobs, from the command fetch to the bus masters."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .arch.config import HardwareConfig
from .arch.program import ADDRESS_BITS
from .axi.ports import read_members, write_members
from .axi.read import BurstReader, ReadArbiter
from .axi.write import WriteMaster
from .core import Core
from .im2col.im2col import Im2col
from .interface.events import events_layout
from .interface.memory import LOAD_WORDS, WEIGHT_WORDS, fetch_words, window
from .interface.streams import epoch_bits, feature_banks, layer_config
from .loader.loader import Loader
from .loader.used_rows import UsedRows
from .loader.weights import WeightLoader
from .maps import Reader, stored_maps
from .output.layouts import writer_config
from .output.outgoing import OutgoingWords
from .output.writer import OutputWriter
from .sequencer.fetch import CommandFetch
from .sequencer.products import ProductChecker
from .sequencer.scheduler import LOAD_CHECK, JobScheduler


class Datapath(wiring.Component):
    """Connects the command fetch, job scheduler, loaders, im2col, core, output writer and the two bus masters.

    Members
    -------
    begin, program : In, strobe to fetch the first command; its byte address
    enable : In(1), commands may be issued
    halt : In(1), no new bursts may begin
    epoch, clear, clear_entry : In, the number of the job, and the entry of the feature buffer to clear between jobs
    read_window, write_window : In, where bursts may read and write
    finished, command_error, command_code, taken : Out, from the job scheduler
    read_error, write_error, read_outside, write_outside : Out(1), from the bus masters
    bad_data, unloaded : Out(1), from the loader and from im2col
    bus_quiet : Out(1), nothing is under way on the bus
    progress : Out(1), something moved in the cycle before
    events : Out, the events of this cycle, which the counters count

    The channels of the AXI4 master are members too, under their AXI names.
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = c = config
        outs = (
            *("finished", "command_error", "taken", "read_error", "write_error", "bad_data", "bus_quiet"),
            *("read_outside", "write_outside", "unloaded"),
        )
        super().__init__(
            {
                "begin": In(1),
                "program": In(ADDRESS_BITS),
                "enable": In(1),
                "halt": In(1),
                "epoch": In(epoch_bits(c)),
                "clear": In(1),
                "clear_entry": In(range(c.feature_words // feature_banks(c))),
                "read_window": In(window(c)),
                "write_window": In(window(c)),
                **{name: Out(1) for name in (*outs, "progress")},
                "command_code": Out(4),
                "events": Out(events_layout(c)),
                **read_members(c.bus_bits),
                **write_members(c.bus_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        c = self.config
        m.submodules.fetch = fetch = CommandFetch(c)
        m.submodules.scheduler = scheduler = JobScheduler(c)
        m.submodules.loader = loader = Loader(c)
        m.submodules.im2col = im2col = Im2col(c)
        m.submodules.used_rows = used_rows = UsedRows(c)
        m.submodules.weights = weights = WeightLoader(c)
        m.submodules.core = core = Core(c)
        m.submodules.output = output = OutputWriter(c)
        m.submodules.writes = writes = WriteMaster(c)
        run, may_load = scheduler.run, Signal()
        maps = stored_maps(m, c, scheduler, core, output)
        reads, loads_asked = self._connect_reads(m, fetch, weights, loader, maps)
        self._connect_bus(m, reads, writes)
        wiring.connect(m, scheduler.o_load, loader.i_job)
        wiring.connect(m, loader.o_features, im2col.i_features)
        wiring.connect(m, loader.o_segments, im2col.i_segments)
        wiring.connect(m, im2col.o, used_rows.i)
        wiring.connect(m, used_rows.o, core.i_rows)
        wiring.connect(m, used_rows.o_used, weights.i_used)
        wiring.connect(m, weights.o, core.i_weights)
        wiring.connect(m, core.o, output.i)
        m.d.comb += [
            fetch.start.eq(self.begin),
            fetch.program.eq(self.program),
            fetch.take.eq(scheduler.take),
            *(getattr(scheduler, n).eq(getattr(fetch, n)) for n in ("command", "valid", "bad_header", "bad_field")),
            scheduler.enable.eq(self.enable),
            scheduler.loads_idle.eq(~loader.busy),
            scheduler.rows_loaded.eq(~loader.rows_busy),
            scheduler.run_done.eq(output.o_done),
            scheduler.front_busy.eq(im2col.busy | weights.busy),
            *(block.run.eq(scheduler.front) for block in (im2col, used_rows, weights)),
            im2col.prepare.eq(scheduler.front_start),
            im2col.start.eq(scheduler.rows_start),
            *(getattr(im2col, name).eq(getattr(self, name)) for name in ("epoch", "clear", "clear_entry")),
            *(block.start.eq(scheduler.front_start) for block in (used_rows, weights)),
            *(block.i_start.eq(scheduler.run_start) for block in (core, output, writes)),
            core.i_m_tiles.eq(run.m_tiles),
            *(core.i_layer[name].eq(run[name]) for name in layer_config(c).members),
            *(output.i_config[name].eq(run[name]) for name in writer_config(c).members),
            core.i_params.payload.eq(loader.o_params.payload),
            core.i_params.valid.eq(loader.o_params.valid & may_load),
            loader.o_params.ready.eq(may_load),
        ]
        # The parameters of the next run wait until no row of this run needs the old ones. That is known a cycle ahead,
        # because the last row has left the core long before the run ends. A run begins only when nothing is loaded.
        m.d.sync += may_load.eq(core.i_params.ready & (~scheduler.run_busy | scheduler.run_ends))
        # Weights of the next run give way to the loads that it waits for, since memory answers in order. But they do
        # not wait with loads that wait themselves, nor with parameters for the run in progress to end.
        waits = scheduler.prepared & loads_asked & ~loader.waiting & (loader.rows_busy | ~scheduler.run_busy)
        m.d.sync += reads.hold[1].eq(waits)
        self._connect_writes(m, scheduler, loader, output, writes)
        self._order_errors(m, fetch, scheduler, loader, im2col, reads)
        self._count(m, scheduler, loader, im2col, weights, core, output, reads, writes)
        return m

    def _connect_reads(
        self, m: Module, fetch: CommandFetch, weights: WeightLoader, loader: Loader, maps: list[Reader]
    ) -> tuple[ReadArbiter, Value]:
        """Connect the readers to the arbiter; return it, and whether requests of loads are still to be made.

        Their order is their priority: commands, which are short and are waited for, then weights, loads and maps.
        """
        c = self.config
        users: list[Reader] = [
            ("fetch", fetch, fetch_words(c)),
            ("weights", weights, WEIGHT_WORDS),
            ("loader", loader, LOAD_WORDS),
            *maps,
        ]
        m.submodules.reads = reads = ReadArbiter(c, len(users))
        readers = []
        for n, (name, user, depth) in enumerate(users):
            m.submodules[f"{name}_reader"] = reader = BurstReader(c, depth=depth)
            m.d.comb += reader.window.eq(self.read_window)
            wiring.connect(m, user.o_request, reader.i)
            wiring.connect(m, reader.o_burst, reads.i_burst[n])
            wiring.connect(m, reads.o[n], reader.i_data)
            wiring.connect(m, reader.o, user.i)
            readers.append(reader)
        return reads, loader.o_request.valid | readers[2].busy

    def _connect_writes(
        self, m: Module, scheduler: JobScheduler, loader: Loader, output: OutputWriter, writes: WriteMaster
    ) -> None:
        """Connect the output writer to the write master, and those who wait for what it writes."""
        m.submodules.outgoing = outgoing = OutgoingWords(self.config)
        wiring.connect(m, output.o, outgoing.i)
        wiring.connect(m, outgoing.o, writes.i)
        m.d.comb += [outgoing.base.eq(scheduler.run.output), outgoing.enable.eq(scheduler.may_hand_on)]
        m.d.comb += scheduler.writes_idle.eq(writes.idle & outgoing.idle)
        m.d.comb += loader.written.eq(Cat(writes.older_idle, scheduler.writes_idle & ~scheduler.run_busy))

    def _connect_bus(self, m: Module, reads: ReadArbiter, writes: WriteMaster) -> None:
        for block, members in ((reads, read_members), (writes, write_members)):
            for name, member in members(self.config.bus_bits).items():
                port, signal = getattr(self, name), getattr(block, name)
                m.d.comb += port.eq(signal) if member.flow == Out else signal.eq(port)
            m.d.comb += block.halt.eq(self.halt)
        m.d.comb += [
            writes.window.eq(self.write_window),
            self.write_outside.eq(writes.outside),
            self.read_error.eq(reads.error),
            self.write_error.eq(writes.error),
            self.bus_quiet.eq(reads.idle & writes.quiet),
        ]

    def _order_errors(
        self,
        m: Module,
        fetch: CommandFetch,
        scheduler: JobScheduler,
        loader: Loader,
        im2col: Im2col,
        reads: ReadArbiter,
    ) -> None:
        """Connect what ends a job. What the front, the loads and the fetch find wrong waits for the commands before.

        They run ahead of the run in progress. So of several errors of a program the first one ends the job.
        """
        m.submodules.products = products = ProductChecker(self.config)
        m.d.comb += [
            products.start.eq(scheduler.front_start),
            products.run.eq(scheduler.front),
            products.window.eq(self.read_window),
            scheduler.products_done.eq(products.done),
            scheduler.bad_product.eq(products.bad),
            scheduler.weights_outside.eq(products.outside),
            self.finished.eq(scheduler.finished),
            self.command_error.eq(scheduler.error),
            self.command_code.eq(scheduler.code),
            self.taken.eq(scheduler.take),
        ]
        unloaded, ahead = Signal(), Signal()
        bad_data = Signal(2)  # of a load before the run in progress, and of one after it
        young = Signal(LOAD_CHECK)  # the run in progress has just started, so that the loads before it are looked at
        m.d.sync += young.eq(Cat(scheduler.run_start, young))
        with m.If(loader.bad_data):
            m.d.sync += bad_data.eq(
                bad_data | Mux(scheduler.run_busy & ~young.any() & ~scheduler.run_start, 0b10, 0b01)
            )
        # The rows of the next run may have started: what they lack is told when that run has.
        lacking = im2col.unloaded | ahead
        m.d.sync += ahead.eq(lacking & scheduler.rows_ahead)
        with m.If(lacking & ~scheduler.rows_ahead):
            m.d.sync += unloaded.eq(1)
        of_fetch, _, of_loads, *more = reads.outside  # weights that leave it are found with the rules about products
        of_run = [one & scheduler.may_write for one in more]  # maps, which the run in progress reads
        done = ~scheduler.run_busy
        m.d.comb += [
            self.bad_data.eq(bad_data[0] | (bad_data[1] & done)),
            # A run that breaks a rule about products is refused for that, whatever it has not found meanwhile.
            self.unloaded.eq(unloaded & scheduler.may_write),
            self.read_outside.eq(
                reduce(or_, of_run, (of_fetch & ~fetch.valid & ~loader.busy & done) | (of_loads & done))
            ),
        ]

    def _count(
        self,
        m: Module,
        scheduler: JobScheduler,
        loader: Loader,
        im2col: Im2col,
        weights: WeightLoader,
        core: Core,
        output: OutputWriter,
        reads: ReadArbiter,
        writes: WriteMaster,
    ) -> None:
        """Connect the events that the counters count, and the sign of progress that the watchdog wants."""
        e = self.events
        was_busy = Signal()
        m.d.sync += was_busy.eq(scheduler.run_busy)

        def moved(s: stream.Interface) -> Value:
            return s.valid & s.ready

        def waits(s: stream.Interface) -> Value:
            return s.valid & ~s.ready

        m.d.comb += [
            e.command.eq(scheduler.take),
            e.run_start.eq(scheduler.run_start),
            e.run_end.eq(was_busy & ~scheduler.run_busy),
            e.run_busy.eq(scheduler.run_busy),
            e.load_busy.eq(loader.busy),
            e.read_beat.eq(reads.beat),
            e.write_beat.eq(writes.beat),
            e.rows_busy.eq(im2col.busy),
            e.rows_word.eq(moved(im2col.o)),
            e.rows_wait.eq(waits(im2col.o)),
            e.weights_busy.eq(weights.busy),
            e.weights_row.eq(moved(weights.o)),
            e.weights_wait.eq(waits(weights.o)),
            e.neurons_item.eq(moved(core.o)),
            e.neurons_wait.eq(waits(core.o)),
            e.output_word.eq(moved(output.o)),
            e.output_wait.eq(waits(output.o)),
            *(e[name].eq(core.events[name]) for name in core.events.shape().members),
        ]
        m.d.sync += self.progress.eq(
            e.command
            | e.read_beat
            | e.write_beat
            | (self.bvalid & self.bready)
            | e.rows_word
            | e.weights_row
            | e.neurons_item
            | e.output_word
            | e.residual_bit
            | (e.reuse_rows != 0)
        )
