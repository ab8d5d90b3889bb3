"""The front-end: from tiles of rows to prefixes and residuals in issue order."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import layouts
from .config import HardwareConfig
from .detector import Detector
from .dispatcher import Dispatcher
from .pruner import Pruner
from .sorter import Sorter
from .tile_loader import TileLoader


class FrontEnd(wiring.Component):
    """Product sparsity of every tile: prefix, residual and issue order of its non-zero rows.

    ::

        i_rows -> TileLoader -> Sorter -> Detector -> Pruner -> Dispatcher -> o_begin, o_compute, o_reuse, o_end
                  histogram     ring of    TCAM       residual   queues
                                sorted rows

    For a row with two or more bits the prefix is the earlier issued row that is a subset of it, has most bits and,
    among those, the lowest index. Rows are issued in ascending popcount, stable by index.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V.)

    Latency: at most ``latency(config, nonzero)`` cycles from a lone tile's last beat to its first row. Throughput: a
    tile takes max(beats, ceil(nonzero / queries)) cycles, sustained, no bubble between tiles; zero rows are free.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_rows : stream of :func:`hw.layouts.tile_word`
    o_begin : stream of :func:`hw.layouts.tile_begin`
    o_end : stream of :func:`hw.layouts.tile_end`
    o_compute : stream of :func:`hw.layouts.compute_row`
    o_reuse : banks x stream of :func:`hw.layouts.reuse_row`
    """

    def __init__(self, config: HardwareConfig):
        self.config = config
        super().__init__(
            {
                "i_rows": In(stream.Signature(layouts.tile_word(config))),
                "o_begin": Out(stream.Signature(layouts.tile_begin(config))),
                "o_end": Out(stream.Signature(layouts.tile_end(config))),
                "o_compute": Out(stream.Signature(layouts.compute_row(config))),
                "o_reuse": Out(stream.Signature(layouts.reuse_row(config))).array(config.banks),
            }
        )

    def elaborate(self, platform):
        c = self.config
        m = Module()
        m.submodules.loader = loader = TileLoader(c)
        m.submodules.sorter = sorter = Sorter(c)
        m.submodules.detector = detector = Detector(c)
        m.submodules.pruner = pruner = Pruner(c)
        m.submodules.dispatcher = dispatcher = Dispatcher(c, flight=Detector.LATENCY + Pruner.LATENCY)
        connect(m, flipped(self.i_rows), loader.i)
        connect(m, loader.o_words, sorter.i_words)
        connect(m, loader.o_tile, sorter.i_tile)
        connect(m, sorter.o, detector.i)
        m.d.comb += [
            pruner.i.eq(detector.o),
            pruner.insert.eq(detector.insert),
            pruner.inserted_last.eq(detector.inserted_last),
            dispatcher.i.eq(pruner.o),
            dispatcher.begin.eq(detector.i.valid & detector.i.ready & detector.i.payload.first),
            dispatcher.tile.eq(detector.i.payload.tile),
            detector.room.eq(dispatcher.room),
            detector.tile_room.eq(dispatcher.tile_room),
        ]
        connect(m, dispatcher.o_begin, flipped(self.o_begin))
        connect(m, dispatcher.o_end, flipped(self.o_end))
        connect(m, dispatcher.o_compute, flipped(self.o_compute))
        for bank in range(c.banks):
            connect(m, dispatcher.o_reuse[bank], flipped(self.o_reuse[bank]))
        return m

    @staticmethod
    def latency(config: HardwareConfig, nonzero: int) -> int:
        """Cycles from a lone tile's last beat to its first row offered, with ``nonzero`` rows, all in that beat.

        Rows of earlier beats have a head start of up to 5 cycles.
        """
        c = config
        front = TileLoader.LATENCY_WORDS + Sorter.latency(c) - (-nonzero // c.queries)
        return front + Detector.LATENCY + Pruner.LATENCY + Dispatcher.LATENCY
