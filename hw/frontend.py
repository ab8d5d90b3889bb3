"""The front-end takes tiles of rows and gives out their prefixes and residuals in issue order."""

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
    """Finds the product sparsity of every tile: the prefix, the residual and the issue order of its non-zero rows.

    ::

        i_rows -> Sorter -> Detector -> Pruner -> Dispatcher -> o_begin, o_compute, o_reuse, o_end
                  row memory  TCAM      residual   queues

    The prefix of a row is, of the rows issued before it that are subsets of it, the one with most bits and, among
    those, the one with the lowest index. A row of one bit has none but with ``one_bit_matches``. Rows are issued by
    ascending popcount, and rows of equal popcount by ascending index.
    (Prosperity, HPCA 2025, arXiv 2503.03379, section V.)

    Latency: ``latency(config)`` cycles from the last beat of a lone tile to its first row. With two queries it may be
    one cycle more, see :class:`reprise.hw.sorter.sorter.Sorter`.

    Throughput: that of the sorter. When all tiles have equally many beats, a tile takes max(beats, rows) cycles,
    without a bubble between tiles. With one query ``rows`` is max(nonzero, 1), so rows of zeros cost nothing. With two
    queries it is at most the sum of ceil(n / 2) over the tile's visits; a visit is to the n rows of one popcount in one
    word of the row memory.

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
        """Return the cycles from the last beat of a lone tile until its first row is offered."""
        return Sorter.LATENCY + Detector.LATENCY + Pruner.LATENCY + Dispatcher.LATENCY
