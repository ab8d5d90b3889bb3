"""A compiled network: how it is moved to an address, and how pixels and results lie in its memory (NumPy alone)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .errors import require

FORMATS = (3, 4, 5)  # 4 is that of images whose input is gathered, 5 of those with maps in an order of their own


class Image:
    """What ``reprise image`` writes into a folder.

    Parameters
    ----------
    folder : with ``memory.bin`` and ``memory.json``

    Members
    -------
    images : of a batch, which one start runs
    size : bytes that the accelerator uses from the base on
    stride : the same as a multiple of ``alignment``, from one slot to the next
    hash : the first 32 bits of the configuration's SHA-256
    program : bytes from the base to the first command
    outputs : names of the maps that can be read after a job; the last one is the network's result
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        self._map: dict[str, Any] = json.loads((folder / "memory.json").read_text())
        self._data = np.frombuffer((folder / "memory.bin").read_bytes(), np.uint8)
        of = f"{folder}/memory.json: format"
        rule = "one of " + ", ".join(map(str, FORMATS))
        require(self._map["format"] in FORMATS, of, rule, self._map["format"], "compile the network again")
        size = self._map["constant_bytes"]
        remedy = "memory.bin and memory.json belong together"
        require(len(self._data) == size, f"{folder}/memory.bin", f"{size} bytes", len(self._data), remedy)
        self.images: int = self._map["images"]
        self.size: int = self._map["size"]
        self.alignment: int = self._map["alignment"]
        self.hash: int = self._map["configuration_hash"]
        self.program: int = self._map["program"] - self._map["base"]
        self.outputs: list[str] = self._map["outputs"]
        self.inputs = [name for name, f in self._map["features"].items() if f["name"] == "input"]

    @property
    def stride(self) -> int:
        """Bytes from one slot to the next."""
        return -(-self.size // self.alignment) * self.alignment

    def windows(self, base: int) -> dict[str, tuple[int, int]]:
        """Return address and size of the tightest windows, "read" and "write", for an image at ``base``."""
        moved = base - self._map["base"]
        return {name: (w["base"] + moved, w["size"]) for name, w in self._map["windows"].items()}

    def feature(self, name: str) -> dict[str, Any]:
        """Return the layout of a map (docs/memory-map.md), with its ``offset`` from the base."""
        known = self._map["features"]
        require(name in known, "the name of a feature map", f"one of {', '.join(known)}", name, "see memory.json")
        return dict(known[name], offset=known[name]["address"] - self._map["base"])

    def constants(self, base: int, program_format: dict[str, Any]) -> np.ndarray:
        """Return the bytes of memory.bin with all addresses moved to ``base``.

        ``program_format`` is "program" of registers.json: where addresses stand in commands.
        """
        most = 1 << program_format["address_bits"]
        rule = f"a multiple of {self.alignment}"
        require(base % self.alignment == 0, "the base address", rule, hex(base), "bursts keep to pages")
        rule = f"at most 2**{program_format['address_bits']}"
        remedy = "the memory port has no more bits"
        require(0 <= base and base + self.size <= most, "the image's end", rule, hex(base + self.size), remedy)
        data = self._data.copy()
        size, count = program_format["command_bytes"], self._map["program_bytes"]
        commands = data[self.program : self.program + count].reshape(-1, size)
        moved = np.uint64((base - self._map["base"]) % (1 << 64))
        for opcode, words in program_format["address_words"].items():
            for word in words:
                chosen = np.flatnonzero(commands[:, 0] == int(opcode))
                place = slice(4 * word, 4 * word + 8)
                addresses = np.ascontiguousarray(commands[chosen, place]).view("<u8") + moved
                commands[chosen, place] = addresses.view(np.uint8)
        return data

    def frames(self, images: np.ndarray) -> np.ndarray:
        """Return images as frames (n, T, C, H, W), and check their shape and their levels.

        ``images`` are integers (n, C, H, W), or (n, T, C, H, W) where all frames are given.
        """
        f, mode = self.feature(self.inputs[0]), self._map["input_mode"]
        images = np.asarray(images)
        shape = _image_shape(f)
        timed = (f["timesteps"], *shape)
        legal = images.ndim > 0 and (images.shape[1:] == timed or (images.shape[1:] == shape and mode != "given"))
        axes = f"(n, {', '.join(map(str, timed if mode == 'given' else shape))})"
        require(legal, "the shape of images", axes, images.shape, "the network was made for it")
        whole = images.dtype.kind in "iub"
        require(whole, "the type of images", "an integer", images.dtype, "scale pixels to the levels of the network")
        low, high = (-128, 127) if f["signed"] else (0, f["levels"])
        if images.size:
            seen = f"{images.min()}..{images.max()}"
            legal = low <= images.min() and images.max() <= high
            require(legal, "the levels of images", f"{low}..{high}", seen, "scale pixels to the levels of the network")
        if images.ndim == 4:
            images = np.repeat(images[:, None], f["timesteps"], axis=1)
            if mode == "once":
                images[:, 1:] = 0
        if mode == "repeat":
            same = not (images != images[:, :1]).any()
            require(same, "the frames of an image", "all the same", "different ones", "one of them is stored")
        return images

    def pack(self, frames: np.ndarray) -> dict[int, np.ndarray]:
        """Return the bytes that a batch of frames takes in memory, by their offsets from the base.

        ``frames`` are what :meth:`frames` returns; images that are missing in the batch hold level 0.
        """
        return {self.feature(name)["offset"]: _pack(self.feature(name), frames) for name in self.inputs}

    def unpack(self, memory: np.ndarray, name: str) -> np.ndarray:
        """Return levels or potentials (images, T, C, H, W) of a map, from the bytes from the base on."""
        f = self.feature(name)
        rule = f"one of {', '.join(self.outputs)}"
        remedy = "the memory of the others is used again; compile with --keep-features"
        require(name in self.outputs, "the name of an output", rule, name, remedy)
        data = np.array(memory[f["offset"] : f["offset"] + f["bytes"]], np.uint8)
        return _unpack(f, data)

    def scores(self, values: np.ndarray) -> np.ndarray:
        """Return class scores (images, classes) of the network's result.

        They are the potentials of the last timestep, or the levels of all timesteps, summed over the positions.
        """
        potentials = self.feature(self.outputs[-1])["kind"] == "potentials"
        values = values.astype(np.int64)
        return (values[:, -1] if potentials else values.sum(axis=1)).sum(axis=(2, 3))


def _image_shape(f: dict[str, Any]) -> tuple[int, int, int]:
    """Return (C, H, W) of what a map holds; a row of a gathered map has several rows of an image as channels."""
    return f["channels"] // f.get("taps", 1), f.get("image_rows", f["height"]), f["width"]


def _gather(f: dict[str, Any], frames: np.ndarray) -> np.ndarray:
    """Return the levels (n, T, C, H, W) that the rows of a map hold."""
    if f.get("taps", 1) == 1:
        return frames[:, :, f["order"]] if "order" in f else frames
    channels, rows, _ = _image_shape(f)
    found = np.zeros(frames.shape[:2] + (f["channels"], f["height"], f["width"]), frames.dtype)
    for y in range(f["height"]):
        for tap in range(f["taps"]):
            row = y * f["row_step"] - f["row_padding"] + tap
            if 0 <= row < rows:
                found[:, :, tap * channels : (tap + 1) * channels, y] = frames[:, :, :, row]
    return found


def _planes(f: dict[str, Any], codes: np.ndarray) -> np.ndarray:
    """Return the planes [..., P] of levels, as 0 or 1."""
    p = np.arange(f["planes"], dtype=np.uint8)
    if f["encoding"] == "thermometer":
        return (codes[..., None] > p).astype(np.uint8)
    return (codes[..., None] >> p) & np.uint8(1)


def _pack(f: dict[str, Any], frames: np.ndarray) -> np.ndarray:
    stored = 1 if f["repeat"] else f["timesteps"]
    blocks, cb = f["blocks"], f["block_channels"]
    codes = np.zeros((f["images"], stored, blocks * cb, f["height"], f["width"]), np.uint8)
    codes[: len(frames), :, : f["channels"]] = _gather(f, frames[:, :stored]).astype(np.uint8)
    bits = _planes(f, codes.reshape(f["images"], stored, blocks, cb, f["height"], f["width"]))  # n t b c y x p
    bits = bits.transpose(0, 2, 4, 1, 6, 5, 3)  # n b y t p x c
    lines = np.zeros(bits.shape[:5] + (f["line_bytes"] * 8,), np.uint8)
    lines[..., : f["line_bits"]] = bits.reshape(bits.shape[:5] + (-1,))
    return np.packbits(lines, axis=-1, bitorder="little").reshape(-1)


def _unpack(f: dict[str, Any], data: np.ndarray) -> np.ndarray:
    head = (f["images"], f["blocks"], f["height"])
    cb, width, times = f["block_channels"], f["width"], f["timesteps"]
    if f["int_bytes"]:
        rows = f["height"] if f["rows_first"] else 1
        positions = f["height"] // rows * width
        strings = data.reshape(head[:2] + (rows, times, positions + f["spare"], f["line_bytes"]))
        integers = np.ascontiguousarray(strings[..., :positions, :]).view("<i{}".format(f["int_bytes"]))[..., :cb]
        values = integers.transpose(0, 3, 1, 5, 2, 4)  # n t b c y p
    else:
        lines = data.reshape(head + (times, f["planes"], f["line_bytes"]))
        bits = np.unpackbits(lines, axis=-1, bitorder="little")[..., : f["line_bits"]]
        bits = bits.reshape(head + (times, f["planes"], width, cb))
        weights = np.ones(f["planes"], int) if f["encoding"] == "thermometer" else 1 << np.arange(f["planes"])
        values = np.tensordot(bits, weights, axes=(4, 0)).transpose(0, 3, 1, 5, 2, 4)  # n t b c y x
    values = values.reshape(f["images"], times, f["blocks"] * cb, f["height"], width)[:, :, : f["channels"]]
    if "order" in f:  # channel order[n] is the n-th one in the map
        values = values[:, :, np.argsort(f["order"])]
    return values.astype(np.int32)
