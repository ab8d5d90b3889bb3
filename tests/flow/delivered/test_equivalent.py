"""The proof that a fault changes nothing: it holds where that is so, and fails where some input shows the fault."""

import importlib.util

import pytest

from tests.flow.delivered.equivalent import proven
from tests.flow.delivered.verilog_mutants import Fault

TEXT = r"""module \reprise.box (rst, i, o, clk);
  input clk;
  wire clk;
  input [3:0] i;
  wire [3:0] i;
  output [3:0] o;
  wire [3:0] o;
  input rst;
  wire rst;
  wire [7:0] \$1 ;
  reg [3:0] \$2 ;
  wire \$3 ;
  wire [3:0] other;
  reg [3:0] level = 4'h0;
  assign \$1  = { 4'h0, level } + i;
  assign \$3  = level > 4'h9;
  assign o = other;
  always @(posedge clk)
    level <= \$2 ;
  \reprise.box.inner  inner (
    .clk(clk),
    .i(level),
    .o(other)
  );
  always @* begin
    \$2  = \$1 [3:0];
    if (\$3 ) begin
      \$2  = 4'h0;
    end
    if (i[3]) begin
      \$2  = 4'h1;
    end
    if (rst) begin
      \$2  = 4'h0;
    end
  end
endmodule

module \reprise.box.inner (i, o, clk);
  input clk;
  wire clk;
  input [3:0] i;
  wire [3:0] i;
  output [3:0] o;
  reg [3:0] o = 4'h0;
  always @(posedge clk)
    o <= i;
endmodule
"""


@pytest.mark.parametrize(
    "good, bad, same",
    [
        (r"{ 4'h0, level } + i", r"{ 4'h3, level } + i", True),  # nobody reads the upper bits
        (r"{ 4'h0, level } + i", r"{ 4'h0, level } - i", False),  # what the module inside is given differs
        (r"level > 4'h9", r"level != 4'h9 && level > 4'h8", True),  # the same in other words
        (r"level > 4'h9", r"level > 4'h8", False),
        (r"level > 4'h9", r"level == 4'hf && i == 4'hf", False),
    ],
)
def test_what_is_the_same_is_proven_and_nothing_else(tmp_path, good, bad, same):
    if not importlib.util.find_spec("pyosys"):
        pytest.skip("pyosys is not installed")
    line = next(n for n, text in enumerate(TEXT.splitlines()) if good in text)
    fault = Fault(line, "known", r"\reprise.box", good, bad)
    assert proven(TEXT, fault, tmp_path / "proof") == same
