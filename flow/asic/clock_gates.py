"""Clock gates: flip-flops that load under one condition get the clock only where it holds.

Yosys puts flip-flops with the same enable behind one clock gate. A gate drives only so many clock pins, so each gets as
many copies as it takes. The enable of a flip-flop with a reset holds at reset, too.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

LEAST = 3
"""The fewest flip-flops with the same enable that get a gate: the clock of a gate takes nearly as much as that of one
flip-flop, and the multiplexers in front of them go."""

MOST = 32
"""The most flip-flops behind a gate, which is the load that the cell can drive."""

ENABLES = """\
(* techmap_celltype = "$sdffe" *)
module enabled_at_reset (CLK, EN, SRST, D, Q);
  parameter WIDTH = 1, CLK_POLARITY = 1, EN_POLARITY = 1, SRST_POLARITY = 1, SRST_VALUE = 0;
  input CLK, EN, SRST;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  wire load = EN == EN_POLARITY, clear = SRST == SRST_POLARITY;
  \\$dffe #(.WIDTH(WIDTH), .CLK_POLARITY(CLK_POLARITY), .EN_POLARITY(1'b1)) _TECHMAP_REPLACE_ (
    .CLK(CLK), .EN(load | clear), .D(clear ? SRST_VALUE : D), .Q(Q));
endmodule
"""
"""Makes flip-flops that load at reset, too, of those whose reset does not wait for their enable; a gate needs that."""

WORDS = """\
techmap -map enables.v
opt_expr
opt_merge
opt_clean
"""
BITS = "opt -fast\nclockgate -pos {gate} GATE:CLK:GCLK -min_net_size {least}\n"
"""Commands of Yosys, for flip-flops of words and then for those of bits; ``gate`` is the cell."""


def gates_of(clocks: np.ndarray, blocks: np.ndarray, opened: dict[int, int]) -> tuple[np.ndarray, ...]:
    """Return the gates of a netlist.

    Parameters
    ----------
    clocks, blocks : int32[flip-flops], net of the clock, and block
    opened : by the clock that a gate of Yosys gives, the net that opens it

    Returns
    -------
    flop_gate, gate_enable, gate_block : int32[flip-flops], int32[gates], int32[gates]
    """
    flop_gate = np.full(len(clocks), -1, np.int32)
    enables: list[int] = []
    owners: list[int] = []
    for clock, net in opened.items():
        behind = np.flatnonzero(clocks == clock)
        for at in range(0, len(behind), MOST):
            some = behind[at : at + MOST]
            flop_gate[some] = len(enables)
            enables.append(net)
            owners.append(Counter(blocks[some].tolist()).most_common(1)[0][0])
    return flop_gate, np.array(enables, np.int32), np.array(owners, np.int32)
