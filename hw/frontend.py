"""The front-end: from tiles of rows to prefixes and residuals in issue order."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .arch.config import HardwareConfig
from .detector.detector import Detector
from .detector.dispatcher import Dispatcher
from .detector.pruner import Pruner
from .interface import streams
from .sorter.sorter import Sorter


class FrontEnd(wiring.Component):
    """Product sparsity of every tile: prefix, residual and issue order of its non-zero rows.

    ::

        i_rows -> Sorter -> Detector -> Pruner -> Dispatcher -> o_begin, o_compute, o_reuse, o_end
                  row memory  TCAM      residual   queues

    For a row with two or more bits the prefix is the earlier issued row that is a subset of it, has most bits and,
    among those, the lowest index. Rows are issued in ascending popcount, stable by index.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V.)

    Latency: ``latency(config)`` cycles from a lone tile's last beat to its first row (with two queries up to one
    more, see :class:`reprise.hw.sorter.sorter.Sorter`). Throughput: that of the sorter. With beats in equal number a
    tile takes max(beats, rows) cycles, sustained, no bubble between tiles, zero rows are free; rows: max(nonzero, 1)
    with one query; with two at most the sum of ceil(n / 2) over its visits: n rows of one popcount in one row-memory
    word.

    Parameters
    ----------
    config : HardwareConfig

    Members
    -------
    i_rows : stream of :func:`reprise.hw.interface.streams.tile_word`
    o_begin : stream of :func:`reprise.hw.interface.streams.tile_begin`
    o_end : stream of :func:`reprise.hw.interface.streams.tile_end`
    o_compute : stream of :func:`reprise.hw.interface.streams.compute_row`
    o_reuse : banks x stream of :func:`reprise.hw.interface.streams.reuse_row`
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_rows": In(stream.Signature(streams.tile_word(config))),
                "o_begin": Out(stream.Signature(streams.tile_begin(config))),
                "o_end": Out(stream.Signature(streams.tile_end(config))),
                "o_compute": Out(stream.Signature(streams.compute_row(config))),
                "o_reuse": Out(stream.Signature(streams.reuse_row(config))).array(config.banks),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        m.submodules.sorter = sorter = Sorter(c)
        m.submodules.detector = detector = Detector(c)
        m.submodules.pruner = pruner = Pruner(c)
        m.submodules.dispatcher = dispatcher = Dispatcher(c, flight=Detector.LATENCY + Pruner.LATENCY)
        connect(m, flipped(self.i_rows), sorter.i)
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
    def latency(config: HardwareConfig) -> int:
        """Cycles from a lone tile's last beat to its first row offered."""
        return Sorter.LATENCY + Detector.LATENCY + Pruner.LATENCY + Dispatcher.LATENCY
