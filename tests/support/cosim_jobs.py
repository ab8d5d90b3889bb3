"""A small compiled job and ways to spoil it, for the tests of the whole accelerator; it loads no simulator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reprise.compiler import compile_network
from reprise.cosim.jobs.compare import compare
from reprise.flow.handoff.vectors import sample_network
from reprise.hw.arch.config import HardwareConfig
from reprise.hw.arch.memory_image import MemoryImage
from reprise.hw.arch.program import COMMAND_BYTES, LOOPS, pack
from reprise.model.files.network_file import save
from reprise.model.inference.runner import Result, run
from reprise.model.network.network import Network

TINY = HardwareConfig.load("tiny")
TRANSFORMERS = TINY.replace(addend_groups=8, masks=1, modes=1, pool_words=64, joins=1, narrow_buffers=1)
"""With all that spiking transformers need, and modes; one simulator serves all tests of it."""
FILL = 0xA5
TIMEOUT = 400_000


def small_network(seed: int = 3) -> Network:
    """Convolution with pool, convolution, readout: every kind of command, a few thousand cycles."""
    return sample_network(seed, name="small", side=6, levels=7, channels=10, outputs=4)


def save_small_network(folder: Path) -> Path:
    """Write the small network with five images, all of which it labels right, and return its file."""
    images = np.random.default_rng(4).integers(0, 8, (5, 1, 6, 6)).astype(np.uint8)
    path = folder / "small.yaml"
    save(small_network(), path, samples=(images, run(small_network(), images).predictions))
    return path


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """A compiled network, its images and what must come out."""

    network: Network
    images: np.ndarray
    compiled: MemoryImage
    expected: Result

    @classmethod
    def make(cls, network: Network, images: np.ndarray, config: HardwareConfig = TINY) -> Job:
        return cls(
            network=network,
            images=images,
            compiled=compile_network(network, config, len(images), keep_features=True),
            expected=run(network, images, record=("features", "potentials")),
        )

    def memory(self, extra: int = 0) -> np.ndarray:
        """The memory before the start, with room for ``extra`` bytes behind."""
        memory = self.compiled.initial_memory(self.images, FILL)
        return np.concatenate([memory, np.full(extra, FILL, np.uint8)])

    @property
    def commands(self) -> list[tuple[str, dict[str, int]]]:
        return self.compiled.commands()

    def first(self, opcode: str) -> int:
        """Index of the first command of a kind."""
        return next(i for i, (name, _) in enumerate(self.commands) if name == opcode)

    def check(self, memory: np.ndarray):
        """Every feature map equals the model."""
        wrong = [c for c in compare(self.compiled, memory[: self.compiled.size], self.expected) if c.mismatches]
        assert not wrong, wrong[0].first or wrong[0].error


def program(commands: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(commands), np.uint8)


def encoded(commands: list[tuple[str, dict[str, int]]]) -> list[bytes]:
    return [pack(opcode, **fields) for opcode, fields in commands]


def spoiled(job: Job, index: int, **changes: int) -> list[bytes]:
    """The job's program with some fields of one command changed."""
    commands = job.commands
    opcode, fields = commands[index]
    commands[index] = (opcode, {**fields, **changes})
    return encoded(commands)


def pooled(job: Job, pool: int) -> list[bytes]:
    """The job's program up to its first RUN, of one output position with this max pool: all else fits the pool."""
    commands, at = job.commands, job.first("RUN")
    fields = commands[at][1]
    per = fields["timesteps"] * fields["planes"]
    in_tile = fields["rows"] // per
    tiles = -(-(pool**2) // in_tile)
    loops = {name: 0 for name in fields if name.startswith("loop")}
    loops |= {f"loop{n}_count": pool**2 * per if n == 0 else 1 for n in range(LOOPS)}
    changes = {"pool": pool, "out_width": 1, "out_lines": 1, "images": 1, "m_tiles": tiles}
    changes["rows_last"] = (pool**2 - (tiles - 1) * in_tile) * per
    return encoded([*commands[:at], ("RUN", fields | loops | changes), ("END", {})])


def flipped(job: Job, index: int, word: int, bit: int) -> list[bytes]:
    """The job's program with one bit of one command inverted."""
    commands = encoded(job.commands)
    value = bytearray(commands[index])
    value[4 * word + bit // 8] ^= 1 << bit % 8
    commands[index] = bytes(value)
    return commands


def place_programs(job: Job, programs: list[list[bytes]]) -> tuple[np.ndarray, list[int]]:
    """The job's memory with further programs behind it, and their addresses."""
    start = -(-job.compiled.size // COMMAND_BYTES) * COMMAND_BYTES
    blob = np.concatenate([program(p) for p in programs])
    addresses, at = [], start
    for p in programs:
        addresses.append(at)
        at += len(p) * COMMAND_BYTES
    memory = job.memory(start - job.compiled.size + len(blob))
    memory[start:] = blob
    return memory, addresses
