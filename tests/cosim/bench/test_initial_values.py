"""Loops for the initial values of memories say what the lines said that they replace."""

import random
import re

import pytest

from reprise.cosim.bench.initial_values import LEAST, looped
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.emission import verilog_of

LOOP = re.compile(r"( *)for \(int word = 0; word < (\d+); word\+\+\) (.*)\[word\] = (.*);")


def unrolled(text):
    """Put the lines back, by what a loop means."""

    def lines(loop):
        indent, count, name, value = loop.groups()
        return "\n".join(f"{indent}{name}[{word}] = {value};" for word in range(int(count)))

    return LOOP.sub(lines, text)


def module(body):
    return f"module m;\n  reg [7:0] \\a.b [0:63];\n{body}endmodule\n"


def initial(values, name="\\a.b ", first=0):
    lines = "".join(f"    {name}[{word}] = 8'h{value:02x};\n" for word, value in enumerate(values, first))
    return f"  initial begin\n{lines}  end\n"


def test_the_accelerator_has_loops_that_mean_the_same():
    text = verilog_of(HardwareConfig.load("tiny")).text
    short = looped(text)
    assert unrolled(short) == text
    assert short.count("\n") < 0.98 * text.count("\n")


@pytest.mark.parametrize("seed", range(20))
def test_random_memories(seed):
    rng = random.Random(seed)
    blocks = [initial([rng.choice((0, 0, 7))] * rng.randrange(1, 40), rng.choice(("a", "\\b[0] "))) for _ in range(3)]
    blocks += [initial(rng.choices((0, 9), weights=(30, 1), k=rng.randrange(1, 60)))]
    rng.shuffle(blocks)
    text = module("".join(blocks))
    assert unrolled(looped(text)) == text


def test_words_that_differ_begin_elsewhere_or_are_few_stay():
    for body in (initial([3] * (LEAST - 1)), initial([0] * 40, first=1), initial([n % 2 for n in range(40)])):
        assert looped(module(body)) == module(body)
    assigned = initial([0] * 40).replace("initial begin", "always @(posedge clk) begin")
    assert looped(module(assigned)) == module(assigned)
    assert looped(module(initial([5] * LEAST))).count("8'h05") == 1
