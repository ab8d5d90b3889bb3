"""Items and expected memory of the output side, for its tests: bit by bit, sharing nothing with the RTL."""

import itertools

import numpy as np

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.output.writer import OutputWriter
from tests.support.simulation import design
from tests.support.streams import Sink, Source, run_streams


def windows(height: int, width: int, k: int) -> list[tuple[int, int]]:
    """Positions (y, x) in issue order: windows row-major, the positions of each row-major inside it."""
    return [
        (wy * k + dy, wx * k + dx)
        for wy, wx, dy, dx in itertools.product(range(height // k), range(width // k), range(k), range(k))
    ]


def group_items(c: HardwareConfig, values: np.ndarray, k: int, field: str, rng) -> list[dict]:
    """Items for values [images, T, C, H, W]; lanes beyond C hold noise."""
    images, timesteps, channels, height, width = values.shape
    groups = -(-channels // c.neuron_lanes)
    low, high = (
        (0, c.max_levels) if field == "level" else (-1 << (c.membrane_bits - 1), (1 << (c.membrane_bits - 1)) - 1)
    )
    noise = rng.integers(low, high + 1, (images, timesteps, groups * c.neuron_lanes, height, width))
    noise[:, :, :channels] = values
    items = []
    for image, (y, x), t, g in itertools.product(
        range(images), windows(height, width, k), range(timesteps), range(groups)
    ):
        lanes = noise[image, t, g * c.neuron_lanes : (g + 1) * c.neuron_lanes, y, x].tolist()
        items.append({field: lanes, "group": g, "last_group": g == groups - 1, "last_t": t == timesteps - 1})
    return items


def pooled(levels: np.ndarray, k: int) -> np.ndarray:
    """Max over k x k windows of [..., H, W]; what no window covers is left out."""
    height, width = levels.shape[-2] // k, levels.shape[-1] // k
    result = np.zeros((*levels.shape[:-2], height, width), dtype=levels.dtype)
    for y, x in itertools.product(range(height), range(width)):
        result[..., y, x] = levels[..., y * k : y * k + k, x * k : x * k + k].max(axis=(-1, -2))
    return result


def plane(level: int, p: int, thermometer: bool) -> int:
    return int(level > p) if thermometer else (int(level) >> p) & 1


def line_bytes_of(bits: int, bus_bytes: int) -> int:
    return -(-bits // (8 * bus_bytes)) * bus_bytes


def words_of(bits: list[int], bus_bits: int) -> list[int]:
    """Bus words of a bit string, filled with zeros."""
    bits = bits + [0] * (-len(bits) % bus_bits)
    return [sum(b << i for i, b in enumerate(bits[n : n + bus_bits])) for n in range(0, len(bits), bus_bits)]


def level_memory(levels: np.ndarray, planes: int, thermometer: bool, bus_bits: int, pitch: int, stride: int) -> dict:
    """{byte offset: bus word} of the lines of levels [images, T, C, H, W] after pooling."""
    images, timesteps, channels, height, width = levels.shape
    memory = {}
    for image, y, t, p in itertools.product(range(images), range(height), range(timesteps), range(planes)):
        bits = [
            plane(levels[image, t, c, y, x], p, thermometer)
            for x, c in itertools.product(range(width), range(channels))
        ]
        address = image * stride + (y * timesteps * planes + t * planes + p) * pitch
        memory |= {address + n * bus_bits // 8: word for n, word in enumerate(words_of(bits, bus_bits))}
    return memory


def integer_memory(values: np.ndarray, c: HardwareConfig, fields: dict) -> dict:
    """The same for an integer map of values [images, T, C, H, W] after pooling, each clipped to its bytes."""
    size, part = fields["int_bytes"], fields["int_groups"] * c.neuron_lanes
    top = 1 << (8 * size - 1)
    memory = {}
    images, timesteps, channels, height, width = values.shape
    for image, t, y, x in itertools.product(*map(range, (images, timesteps, height, width))):
        for block, first in enumerate(range(0, channels, part)):
            own = values[image, t, first : first + part, y, x].tolist()
            raw = b"".join(min(max(v, -top), top - 1).to_bytes(size, "little", signed=True) for v in own)
            bits = [(byte >> n) & 1 for byte in raw for n in range(8)]
            address = image * fields["image_stride"] + block * fields["int_block"] + t * fields["int_t"]
            address += y * fields["int_y"] + x * fields["line_bytes"]
            words = words_of(bits, c.bus_bits)
            memory |= {(address + n * c.bus_bits // 8) % (1 << 32): word for n, word in enumerate(words)}
    return memory


def check_commands(c: HardwareConfig, commands: list[dict], want: dict):
    """Every word exactly once, nothing else, ``last`` on the last alone."""
    got = {}
    for command in commands:
        assert command["strobe"] == (1 << c.bus_bits // 8) - 1
        assert command["address"] not in got, f"word at {command['address']} written twice"
        got[command["address"]] = command["data"]
    assert sorted(got) == sorted(want)
    for address, word in want.items():
        assert got[address] == word, f"word at {address}: {got[address]:x}, not {word:x}"
    assert [command["last"] for command in commands] == [0] * (len(commands) - 1) + [1]


TINY = HardwareConfig.load("tiny")
CONFIGS = {
    "tiny": TINY,
    "one lane": TINY.replace(neuron_lanes=1, max_levels=255),
    "wide chunk": TINY.replace(lanes=64, neuron_lanes=64, max_levels=3),
    "wide bus": TINY.replace(lanes=32, neuron_lanes=8, bus_bits=256, membrane_bits=32),
}


def level_fields(c, shape, k, planes, thermometer=False, extra_pitch=0, extra_stride=0) -> dict:
    """writer_config of levels of this shape [images, T, C, H, W] before pooling."""
    images, timesteps, channels, height, width = shape
    bus_bytes = c.bus_bits // 8
    pitch = line_bytes_of(width // k * channels, bus_bytes) + extra_pitch * bus_bytes
    return {
        "readout": 0,
        "channels": channels,
        "pool": k,
        "out_planes": planes,
        "out_thermometer": thermometer,
        "image_stride": height // k * timesteps * planes * pitch + extra_stride * bus_bytes,
        "line_bytes": pitch,
        "out_width": width // k,
        "out_lines": height // k,
        "images": images,
        "int_bytes": 0,
    }


def integer_fields(c, shape, k=1, size=4, groups=None, extra=(0, 0, 0, 0, 0), readout=False) -> dict:
    """writer_config of an integer map [image][block][t][y][x] of values of this shape before pooling.

    ``extra`` are bus words behind each string, row, timestep, block and image, which nothing may write.
    """
    images, timesteps, channels, height, width = shape
    bus_bytes = c.bus_bits // 8
    all_groups = -(-channels // c.neuron_lanes)
    groups = groups or all_groups
    string, row, timestep, block, image = (words * bus_bytes for words in extra)
    string += line_bytes_of(min(channels, groups * c.neuron_lanes) * 8 * size, bus_bytes)
    row += string * (width // k)
    timestep += row * (height // k)
    block += timestep * timesteps
    return {
        "readout": readout,
        "channels": channels,
        "pool": k,
        "out_planes": 0,
        "out_thermometer": 0,
        "image_stride": block * -(-all_groups // groups) + image,
        "line_bytes": string,
        "out_width": width // k,
        "out_lines": height // k,
        "images": images,
        "int_bytes": size,
        "int_groups": groups,
        "int_t": timestep,
        "int_y": row,
        "int_block": block,
    }


def readout_fields(c, shape, **how) -> dict:
    return integer_fields(c, shape, readout=True, **how)


def memory_of(c, values, fields) -> dict:
    pitch, stride = fields["line_bytes"], fields["image_stride"]
    values = pooled(values, fields["pool"])
    if fields["int_bytes"]:
        return integer_memory(values, c, fields)
    return level_memory(values, fields["out_planes"], fields["out_thermometer"], c.bus_bits, pitch, stride)


def run_writer(c, values, fields, *, idle=0.0, stall=0.0, seed=0):
    """Writes values [images, T, C, H, W]; checks every word; returns (source, sink)."""
    field = "potential" if fields["readout"] else "level"
    items = group_items(c, values, fields["pool"], field, np.random.default_rng(seed))
    want = memory_of(c, values, fields)
    dut = design(OutputWriter, c)
    source = Source(dut.i, items, idle=idle, gate=lambda cycle: cycle > 1)
    sink = Sink(dut.o, stall=stall, expect=len(want))
    done = {}

    def each(ctx, cycle):
        ctx.set(dut.i_start, cycle == 1)
        done[cycle] = ctx.get(dut.o_done)

    run_streams(dut, [source], [sink], seed=seed, setup=lambda ctx: ctx.set(dut.i_config, fields), each=each)
    check_commands(c, sink.items, want)
    last = sink.cycles[-1]
    assert done[last + 1] and not any(done[cycle] for cycle in range(2, last + 1))
    return source, sink
