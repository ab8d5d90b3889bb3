"""The scoreboard: which tiles are being processed, how far they are, and when their buffers are free again."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig
from ..interface.streams import TAG_BITS, tile_begin, tile_end


def tile_view(c: HardwareConfig) -> data.StructLayout:
    """Return the layout of what the issue stage must know about a tile in the processor."""
    return data.StructLayout(
        {
            "valid": 1,
            "tag": TAG_BITS,
            "next_weights": 1,  # in the next cycle the tile's weights will be in the buffer, if no other tile enters
            "buffer": c.buffer_bits,  # buffer of the partial-sum banks that belongs to its m tile
            "weight_slot": c.weight_slot_bits,
            "issued": c.count_bits,  # number of its compute rows whose last residual bit was issued
        }
    )


def tile_step(c: HardwareConfig) -> data.StructLayout:
    """Return the layout which says that a row of the tile with this ``parity`` is issued in this cycle."""
    return data.StructLayout({"valid": 1, "parity": 1})


class Scoreboard(wiring.Component):
    """Keeps account of the two tiles in the processor, indexed by the parity of their tags.

    A tile goes through three events:

    - It *enters* with ``i_begin``, as soon as the tile two before it has retired, because their results share a buffer.
      The first tile of an m tile also waits until the buffer of the partial sums that it will use is drained. M tiles
      take turns in two buffers or, if their RUN is narrow, in four (``narrow_buffers``).
    - It is *closed* when it has ended (``i_end``), its last compute row was issued, and its weights were there. A tile
      without compute rows uses up its weights too. Closing releases the weight slot.
    - It *retires*, in order, when it is closed and its reuse rows were issued. When the last K tile of an m tile
      retires, its buffer is handed over to the drain.

    Latency: if a tile's last row is issued in cycle ``v``, the tile retires in ``v + 2``, and ``full`` is set in
    ``v + 3``.

    Members
    -------
    i_begin, i_end : the streams that announce and close a tile
    enable : tiles may enter, because the dirty maps are clear
    filled : for each weight slot: it holds a tile's weights
    claim : the last bit of a compute row is issued
    take : for each bank: a reuse row is issued
    drained : for each buffer: its last partial sum is handed out
    tiles : the two tiles, as the issue stage sees them
    release : the weight slot may be refilled
    full, rows : for each buffer: its m tile is complete; its number of rows, which is known a cycle earlier unless the
        one before is full
    wait_drain : a tile waits for a buffer to be drained
    groups : for each buffer: a bit for each group of channels, which the RUN of its m tile has
    busy : a tile or a partial sum is inside
    """

    def __init__(self, config: HardwareConfig) -> None:
        c = self.config = config
        super().__init__(
            {
                "i_begin": In(stream.Signature(tile_begin(c))),
                "i_end": In(stream.Signature(tile_end(c))),
                "enable": In(1),
                "filled": In(c.weight_tiles),
                "claim": In(tile_step(c)),
                "take": In(data.ArrayLayout(tile_step(c), c.banks)),
                "drained": In(c.buffers),
                "tiles": Out(data.ArrayLayout(tile_view(c), 2)),
                "release": Out(data.StructLayout({"valid": 1, "weight_slot": c.weight_slot_bits})),
                "full": Out(c.buffers),
                "rows": Out(data.ArrayLayout(c.count_bits, c.buffers)),
                "wait_drain": Out(1),
                "groups": Out(data.ArrayLayout(c.groups, c.buffers)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        c = self.config
        m = Module()
        info = Signal(data.ArrayLayout(tile_begin(c), 2), reset_less=True)
        end = Signal(data.ArrayLayout(tile_end(c), 2), reset_less=True)
        entering, retiring, closed = Signal(2), Signal(2), Signal(2)
        computes_done, done = Signal(2), Signal(2)
        oldest = Signal()

        buffer_busy = self._admit(m, info, entering, retiring)
        for p in range(2):
            self._tile(m, p, info, end, entering, retiring, closed, computes_done[p], done, oldest)
        self._close(m, info, entering, closed, computes_done & ~closed, done)

        for h in range(c.buffers):
            with m.If(self.drained[h]):
                m.d.sync += [self.full[h].eq(0), buffer_busy[h].eq(0)]
        tile, buffer = info[oldest].tile, self.tiles[oldest].buffer
        with m.If(self.tiles[oldest].valid):
            m.d.sync += self.rows[buffer].eq(tile.rows)
        with m.If(retiring.any()):
            m.d.sync += oldest.eq(~oldest)
            with m.If(tile.last_k):
                m.d.sync += self.full.bit_select(buffer, 1).eq(1)
        m.d.comb += self.busy.eq(self.tiles[0].valid | self.tiles[1].valid | buffer_busy.any())
        return m

    def _admit(self, m: Module, info: data.View, entering: Signal, retiring: Signal) -> Signal:
        """Let tiles in, where m tiles take turns in the buffers; return for each buffer that it is in use."""
        c, begin = self.config, self.i_begin.payload
        turn, buffer = Signal(c.buffer_bits), Signal(c.buffer_bits)
        fresh, buffer_busy = Signal(init=1), Signal(c.buffers)
        groups: Value = Cat(begin.tile.idle_groups < c.groups - n for n in range(c.groups))
        parity = begin.tag[0]
        m.d.comb += buffer.eq(turn)
        taken = buffer_busy.bit_select(buffer, 1)
        if c.narrow_buffers:
            taken = taken | self._beside(m, turn, buffer, buffer_busy, entering)
            groups = Mux(buffer[1], groups << c.narrow_groups, groups)
        free, may, waits = Signal(2), Signal(2), Signal()
        # ``retiring`` is known last in the cycle. So the rest is found beside it, for each parity.
        m.d.comb += [
            free.eq(~Cat(tile.valid for tile in self.tiles) | retiring),
            waits.eq(fresh & taken),
            may.eq(Cat(~parity, parity) & (self.enable & ~waits).replicate(2)),
            entering.eq(may & self.i_begin.valid.replicate(2) & free),
            self.wait_drain.eq(self.enable & free.bit_select(parity, 1) & self.i_begin.valid & waits),
            self.i_begin.ready.eq((may & free).any()),
        ]
        with m.If(entering.any()):
            m.d.sync += [
                info[parity].eq(begin),
                buffer_busy.bit_select(buffer, 1).eq(1),
                fresh.eq(begin.tile.last_k),
                turn.eq(buffer + begin.tile.last_k),
                self.groups[buffer].eq(groups),
            ]
        for p in range(2):
            with m.If(entering[p]):
                m.d.sync += self.tiles[p].buffer.eq(buffer)
        return buffer_busy

    def _beside(self, m: Module, turn: Signal, buffer: Signal, buffer_busy: Signal, entering: Signal) -> Value:
        """Let narrow RUNs have the upper half of the lanes too, and return whether what is there is in the way.

        A buffer of a narrow RUN is one of four: number 2 has the addresses of number 0 in the other half of the lanes,
        and number 3 those of number 1. A buffer of a wide RUN is number 0 or 1, and takes both halves.
        """
        c, tile = self.config, self.i_begin.payload.tile
        narrow, wide = Signal(), Signal(2)  # the tile's RUN; the last m tile in each of the buffers 0 and 1
        m.d.comb += narrow.eq(tile.idle_groups >= c.groups - c.narrow_groups)
        with m.If(~narrow):
            m.d.comb += buffer.eq(turn[0])
        with m.If(entering.any() & ~buffer[1]):
            m.d.sync += wide.bit_select(buffer[0], 1).eq(~narrow)
        beside = buffer_busy.bit_select(buffer ^ 2, 1)
        return beside & (~narrow | (turn[1] & wide.bit_select(turn[0], 1)))

    def _tile(
        self,
        m: Module,
        p: int,
        info: data.View,
        end: data.View,
        entering: Signal,
        retiring: Signal,
        closed: Signal,
        computes_done: Value,
        done: Signal,
        oldest: Signal,
    ) -> None:
        """Keep the state of the tile of parity ``p``, and compare its issued rows with the numbers from its end."""
        c = self.config
        tile, other = self.tiles[p], self.tiles[1 - p]
        ended, reuse_done = Signal(name=f"ended{p}"), Signal(name=f"reuse_done{p}")
        reused = Signal(data.ArrayLayout(c.count_bits, c.banks), name=f"reused{p}")
        # A younger tile may have the same weight slot as an older one that will release it. Then the weights in it are
        # stale for the younger one, which must wait until the slot is refilled.
        stale = Signal(name=f"stale{p}")
        older = info[1 - p].tile
        m.d.comb += [
            tile.tag.eq(info[p].tag),
            tile.weight_slot.eq(info[p].tile.weight_slot),
            stale.eq(
                other.valid
                & (oldest != p)
                & older.weight_release
                & ~closed[1 - p]
                & (older.weight_slot == tile.weight_slot)
            ),
        ]
        filled = self.filled.bit_select(tile.weight_slot, 1)
        weights_ok = Signal(name=f"weights_ok{p}")
        m.d.comb += tile.next_weights.eq(weights_ok | (tile.valid & filled & ~stale))
        m.d.sync += [
            weights_ok.eq(tile.next_weights),
            reuse_done.eq(ended & Cat(reused[b] == end[p].reuses[b] for b in range(c.banks)).all()),
        ]
        with m.If(self.claim.valid & (self.claim.parity == p)):
            m.d.sync += tile.issued.eq(tile.issued + 1)
        for b in range(c.banks):
            with m.If(self.take[b].valid & (self.take[b].parity == p)):
                m.d.sync += reused[b].eq(reused[b] + 1)

        with m.If((self.i_end.payload.tag == info[p].tag) & tile.valid & ~ended):
            m.d.comb += self.i_end.ready.eq(1)
            with m.If(self.i_end.valid):
                m.d.sync += [end[p].eq(self.i_end.payload), ended.eq(1)]

        m.d.sync += computes_done.eq(ended & (tile.issued == end[p].computes) & weights_ok)
        m.d.comb += retiring[p].eq(tile.valid & (oldest == p) & (closed[p] | done[p]) & reuse_done)
        with m.If(retiring[p]):
            m.d.sync += tile.valid.eq(0)
        with m.If(entering[p]):
            m.d.sync += [
                Cat(weights_ok, ended, reuse_done, computes_done).eq(0),
                tile.issued.eq(0),
                reused.as_value().eq(0),
                tile.valid.eq(1),
            ]

    def _close(self, m: Module, info: data.View, entering: Signal, closed: Signal, ready: Value, done: Signal) -> None:
        """Close tiles in order, at most one per cycle, and release their weight slots."""
        closing = Signal()
        tile = info[closing].tile
        m.d.comb += [
            done.eq(ready & Cat(~closing, closing)),
            self.release.valid.eq(done.any() & tile.weight_release),
            self.release.weight_slot.eq(tile.weight_slot),
        ]
        m.d.sync += [closing.eq(closing ^ done.any()), closed.eq((closed | done) & ~entering)]
