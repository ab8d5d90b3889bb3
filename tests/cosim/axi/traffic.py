"""Traffic on an AXI4 port, cycle by cycle: some that keeps the rules, and some that breaks one, by the rule's text."""

from __future__ import annotations

QUIET = {
    **dict.fromkeys(("awid", "awaddr", "awlen", "awcache", "awprot", "awvalid", "awready"), 0),
    **dict.fromkeys(("arid", "araddr", "arlen", "arcache", "arprot", "arvalid", "arready"), 0),
    **dict.fromkeys(("wdata", "wstrb", "wlast", "wvalid", "wready", "bid", "bresp", "bvalid", "bready"), 0),
    **dict.fromkeys(("rid", "rdata", "rresp", "rlast", "rvalid", "rready"), 0),
    **{"awsize": 3, "awburst": 1, "arsize": 3, "arburst": 1},
}
"""What the signals are where nothing happens. The bus has 64 bits."""


def aw(address=0, beats=1, *, ready=1, **more):
    return {"awvalid": 1, "awready": ready, "awaddr": address, "awlen": beats - 1, **more}


def ar(address=0, beats=1, *, ready=1, **more):
    return {"arvalid": 1, "arready": ready, "araddr": address, "arlen": beats - 1, **more}


def w(last=0, *, ready=1, wdata=5, wstrb=0xFF):
    return {"wvalid": 1, "wready": ready, "wlast": last, "wdata": wdata, "wstrb": wstrb}


def b(bid=0, *, ready=1, bresp=0):
    return {"bvalid": 1, "bready": ready, "bid": bid, "bresp": bresp}


def r(last=0, *, ready=1, rid=0, rdata=7, rresp=0):
    return {"rvalid": 1, "rready": ready, "rid": rid, "rlast": last, "rdata": rdata, "rresp": rresp}


def narrow(kind, start, strobes, *, size=1):
    """A write of beats of ``1 << size`` bytes with these strobes."""
    beats = [w(last=n == len(strobes) - 1, wstrb=strobe) for n, strobe in enumerate(strobes)]
    return [aw(start, len(strobes), awsize=size, awburst=kind), *beats, b()]


FIXED, INCR, WRAP = range(3)
IN_RESET = {"rst": 1}

GOOD = {
    "nothing happens": [{}, {}],
    "a write and its answer": [aw(64, 2), w(), w(1), {}, b()],
    "address and data in one cycle": [aw() | w(1), b()],
    "data before the address": [w(), w(1), {}, aw(beats=2), b()],
    "data begins before the address": [w(), aw(beats=2) | w(1), b()],
    "two bursts of data before their addresses": [w(), w(1), w(1), aw(beats=2), aw(), b(), b()],
    "every channel waits": [
        *[aw(8, 2, ready=0)] * 2, aw(8, 2), *[w(ready=0)] * 2, w(), w(1), *[b(ready=0)] * 2, b(),
        *[ar(8, ready=0)] * 2, ar(8), *[r(1, ready=0)] * 2, r(1),
    ],
    "ready falls while nothing waits": [{"awready": 1, "rready": 1}, {}],
    "reads of two IDs interleave": [ar(0, 2), ar(64, 2, arid=1), r(), r(rid=1), r(1, rid=1), r(1)],
    "answers of two IDs in another order": [aw(), w(1), aw(awid=1), w(1), b(1), b(0)],
    "a read whose address comes with the data of another": [ar(), ar(8) | r(1), r(1)],
    "errors are legal answers": [aw(), w(1), b(bresp=2), ar(), r(1, rresp=3)],
    "a burst ends at 4 KiB": [aw(4096 - 16, 2), w(), w(1), b(), ar(4096 - 2048, 256)],
    "256 beats": [ar(0, 256), *[r()] * 255, r(1)],
    "INCR, narrow and not aligned": narrow(INCR, 1, [0b10, 0b1100, 0b110000, 0b11000000, 0b11]),
    "WRAP, narrow": narrow(WRAP, 6, [0b11000000, 0b11, 0b1100, 0b110000]),
    "FIXED, narrow": narrow(FIXED, 6, [0b11000000, 0b10000000, 0b01000000]),
    "a full burst, not aligned": [aw(3, 2), w(wstrb=0xF8), w(1), b()],
    "WRAP across 4 KiB wraps": [ar(4096 - 8, 16, arburst=WRAP)],
    "a reset cuts what is under way": [
        *(aw(beats=2), w(), ar(), IN_RESET | ar(8, ready=0), IN_RESET, {}), *(aw(), w(1), b()),
    ],
    "cacheable memory": [aw(awcache=0b1111), ar(arcache=0b0011)],
    "as many bursts as the checker takes": [*[aw(8 * n) for n in range(4)], *[w(1)] * 4, *[b()] * 4],
}  # fmt: skip
"""Traffic that keeps every rule."""

A321 = "A3.2.1: {} must stay high until {}"
CHANGES = "A3.2.1: what belongs to {}VALID must not change until {}READY"
RESET = "A3.1.2: {}VALID must be low in reset and at the edge after it"
LATE, EARLY = "A3.4.1: WLAST must come with beat AWLEN + 1", "A3.4.1: WLAST must not come before beat AWLEN + 1"
LANES = "A3.4.3: WSTRB must be low for byte lanes that a beat does not have"
DEPTH = "no rule, but the checker's DEPTH: it must be larger"
B_EARLY = "A3.3.1: BVALID must wait for the address and last data of its ID"
R_EARLY = "A3.3.1: RVALID must wait for an address of its ID"

BAD = {
    "AW in reset": (RESET.format("AW"), [IN_RESET, IN_RESET | aw(), IN_RESET]),
    "W in reset": (RESET.format("W"), [IN_RESET, IN_RESET | w(1), IN_RESET]),
    "AR in reset": (RESET.format("AR"), [IN_RESET, IN_RESET | ar(), IN_RESET]),
    "AW right after reset": (RESET.format("AW"), [IN_RESET, aw()]),
    "W right after reset": (RESET.format("W"), [IN_RESET, w(1)]),
    "AR right after reset": (RESET.format("AR"), [IN_RESET, ar()]),
    "B in reset": ("A3.1.2: BVALID must be low in reset", [IN_RESET, IN_RESET | b()]),
    "R in reset": ("A3.1.2: RVALID must be low in reset", [IN_RESET, IN_RESET | r(1)]),
    "AW goes": (A321.format("AWVALID", "AWREADY"), [aw(ready=0), {}]),
    "AW moves": (CHANGES.format("AW", "AW"), [aw(0, ready=0), aw(8)]),
    "AW grows": (CHANGES.format("AW", "AW"), [aw(ready=0), aw(beats=2)]),
    "AW changes its ID": (CHANGES.format("AW", "AW"), [aw(ready=0), aw(awid=1)]),
    "W goes": (A321.format("WVALID", "WREADY"), [aw(), w(1, ready=0), {}]),
    "W changes": (CHANGES.format("W", "W"), [aw(), w(1, ready=0), w(1, wdata=6)]),
    "WSTRB changes": (CHANGES.format("W", "W"), [aw(), w(1, ready=0), w(1, wstrb=1)]),
    "B goes": (A321.format("BVALID", "BREADY"), [aw(), w(1), b(ready=0), {}]),
    "B changes": (CHANGES.format("B", "B"), [aw(), w(1), b(ready=0), b(bresp=2)]),
    "AR goes": (A321.format("ARVALID", "ARREADY"), [ar(ready=0), {}]),
    "AR moves": (CHANGES.format("AR", "AR"), [ar(0, ready=0), ar(8)]),
    "R goes": (A321.format("RVALID", "RREADY"), [ar(), r(1, ready=0), {}]),
    "R changes": (CHANGES.format("R", "R"), [ar(), r(1, ready=0), r(1, rdata=8)]),
    "B without a write": (B_EARLY, [b()]),
    "B in the cycle of its data": (B_EARLY, [aw(), w(1) | b()]),
    "B before its address": (B_EARLY, [w(1), b()]),
    "B after data that is not the last": (B_EARLY, [aw(beats=2), w(), b()]),
    "B twice": (B_EARLY, [aw(), w(1), b(), b()]),
    "B of another ID": (B_EARLY, [aw(), w(1), b(1)]),
    "B of an exclusive access": ("A7.2: BRESP must not be EXOKAY, for no access is exclusive",
                                 [aw(), w(1), b(bresp=1)]),
    "R without a read": (R_EARLY, [r(1)]),
    "R in the cycle of its address": (R_EARLY, [ar() | r(1)]),
    "R of another ID": (R_EARLY, [ar(), r(1, rid=1)]),
    "R after the last": (R_EARLY, [ar(), r(1), r(1)]),
    "RLAST too early": ("A3.4.1: RLAST must not come before beat ARLEN + 1", [ar(beats=3), r(), r(1)]),
    "RLAST missing": ("A3.4.1: RLAST must come with beat ARLEN + 1", [ar(beats=2), r(), r()]),
    "R of an exclusive access": ("A7.2: RRESP must not be EXOKAY, for no access is exclusive",
                                 [ar(), r(1, rresp=1)]),
    "AW wider than the bus": ("A3.4.1: AWSIZE must not exceed the bus", [aw(awsize=4)]),
    "AR wider than the bus": ("A3.4.1: ARSIZE must not exceed the bus", [ar(arsize=4)]),
    "AW of no kind": ("A3.4.1: AWBURST must not be 0b11", [aw(awburst=3)]),
    "AR of no kind": ("A3.4.1: ARBURST must not be 0b11", [ar(arburst=3)]),
    "FIXED of 17": ("A3.4.1: FIXED bursts must have at most 16 beats, see AW", [aw(beats=17, awburst=FIXED)]),
    "WRAP of 3": ("A3.4.1: WRAP bursts must have 2, 4, 8 or 16 beats, see AR", [ar(beats=3, arburst=WRAP)]),
    "WRAP not aligned": ("A3.4.1: WRAP bursts must begin at a multiple of their size, see AW",
                         [aw(4, 2, awburst=WRAP)]),
    "AW over 4 KiB": ("A3.4.1: bursts must not span a multiple of 4 KiB, see AW", [aw(4096 - 16, 3)]),
    "AR over 4 KiB": ("A3.4.1: bursts must not span a multiple of 4 KiB, see AR", [ar(2048 + 8, 256)]),
    "AR over 4 KiB, narrow": ("A3.4.1: bursts must not span a multiple of 4 KiB, see AR", [ar(4095, 2, arsize=0)]),
    "AWCACHE reserved": ("A4.4: AWCACHE must not have a reserved value", [aw(awcache=0b0101)]),
    "ARCACHE reserved": ("A4.4: ARCACHE must not have a reserved value", [ar(arcache=0b1000)]),
    "WLAST too early": (EARLY, [aw(beats=3), w(), w(1)]),
    "WLAST missing": (LATE, [aw(beats=2), w(), w()]),
    "data before the address, too few": ("A3.4.1: WLAST must come with beat AWLEN + 1, no other", [w(1), aw(beats=2)]),
    "data before the address, too many": (LATE, [w(), w(), aw(beats=2)]),
    "data without an end": ("A3.4.1: WLAST must come with beat 256 at the latest", [*[w()] * 256]),
    "INCR, wrong lanes": (LANES, narrow(INCR, 1, [0b11, 0b1100])),
    "INCR, wrong lanes of the second beat": (LANES, narrow(INCR, 1, [0b10, 0b110000])),
    "WRAP, wrong lanes": (LANES, narrow(WRAP, 6, [0b11000000, 0b1100])),
    "FIXED, wrong lanes": (LANES, narrow(FIXED, 6, [0b11000000, 0b11])),
    "too many writes": (DEPTH, [*[aw(8 * n) for n in range(5)]]),
    "too many reads": (DEPTH, [*[ar(8 * n) for n in range(5)]]),
    "too much data": (DEPTH, [*[w(1)] * 5]),
}  # fmt: skip
"""Traffic that breaks one rule and no other: the text of the rule, and the cycles."""

UNKNOWN = {
    "a valid": ("A3.1.2: VALID and READY must be known outside of reset", [{"awvalid": "x"}]),
    "a ready": ("A3.1.2: VALID and READY must be known outside of reset", [{"rready": "x"}]),
    "an address": ("A3.2.2: an address and what belongs to it must be known", [aw("x")]),
    "a length": ("A3.2.2: an address and what belongs to it must be known", [ar(arlen="x")]),
    "a strobe": ("A3.2.2: WLAST and WSTRB must be known", [aw(), w(1, wstrb="x")]),
    "data": ("A3.2.2: WDATA must be known where WSTRB is set", [aw(), w(1, wdata="x", wstrb=1)]),
    "a response": ("A3.2.2: BID and BRESP must be known", [aw(), w(1), b(bresp="x")]),
    "the end of a read": ("A3.2.2: RID, RRESP and RLAST must be known", [ar(), r("x")]),
}
"""Traffic with unknown bits, which Verilator does not have."""
