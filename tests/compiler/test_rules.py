"""Compiled programs and the rules of legal commands."""

import pytest

from reprise.compiler import CompileError, compile_network
from reprise.compiler.emit import Emitter
from reprise.compiler.errors import IllegalCommand
from reprise.cosim.jobs.random_configs import random_config
from reprise.cosim.jobs.random_networks import random_network
from reprise.hw.arch.rules import ProgramRules
from tests.compiler.networks import TINY, conv_network


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_programs_keep_to_the_sequencers_rules(seed):
    config = random_config(seed).replace(feature_words=4096, segments=2048)
    network = random_network(seed, config)
    compiled = compile_network(network, config, 2, base=4096)
    words, checks = config.bus_bits // config.feature_bits, ProgramRules(config)
    for opcode, fields in compiled.commands():
        assert checks.violations(opcode, fields) == []
        if opcode == "LOAD_FEATURES":
            assert fields["target"] % words == 0 and fields["target_stride"] % words == 0
    with pytest.raises(CompileError, match="40 bits"):
        compile_network(network, config, 2, base=(1 << 40) - 4096)


def test_a_fault_of_the_compiler_is_named(monkeypatch):
    """What no check of the compiler foresaw doesn't leave it: every command is held against the rules."""
    emitted = Emitter._tile_fields
    monkeypatch.setattr(Emitter, "_tile_fields", lambda *a: emitted(*a) | {"rows": TINY.tile_m + 1})
    with pytest.raises(IllegalCommand, match=r"command 3: RUN.rows must be 1..16 \(tile_m\), not 17.*report"):
        compile_network(conv_network(1, (1, 4, 4), 8), TINY, 1)
