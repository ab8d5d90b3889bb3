"""A compiled network as a memory image: the bytes of the accelerator's memory at the start, and the map of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .config import HardwareConfig
from .feature_map import FeatureMap
from .program import COMMAND_BYTES, unpack
from .relocation import BASE_ALIGNMENT, moved

FORMAT, GATHERED_FORMAT, ORDERED_FORMAT = 3, 4, 5


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of memory: the ``bytes`` bytes from byte address ``address`` on.

    Its ``kind`` is "weights", "parameters", "segments", "program", "input" or "feature".
    """

    name: str
    kind: str
    address: int
    bytes: int

    @property
    def end(self) -> int:
        """Byte address of the first byte behind the region."""
        return self.address + self.bytes


@dataclass(frozen=True, kw_only=True)
class AddressWindow:
    """The ``size`` bytes from byte address ``base`` on; both are whole bus words."""

    base: int
    size: int

    @property
    def end(self) -> int:
        """Byte address of the first byte behind the window."""
        return self.base + self.size

    def holds(self, address: int, count: int) -> bool:
        """Return whether the ``count`` bytes from ``address`` on lie in the window."""
        return self.base <= address and address + count <= self.end


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The two windows that a host sets: what leaves them ends a job with an error before the access is issued."""

    read: AddressWindow
    write: AddressWindow


@dataclass(frozen=True, kw_only=True)
class LayerEntry:
    """One layer of the program: which commands compute it, and how it is cut into pieces.

    Members
    -------
    name, feature : name of the layer, and the key in ``MemoryImage.features`` of the map that it writes.
    first, last : numbers of its first command and of the one after its last.
    k_tiles, blocks, jobs : numbers of its K tiles, of its blocks of output channels, and of the pieces into which its
        work is cut, each with a RUN per block.
    planes : number of planes P of its rows.
    """

    name: str
    feature: str
    first: int
    last: int
    k_tiles: int
    blocks: int
    jobs: int
    planes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryImage:
    """Everything that a host needs to run a compiled network.

    Members
    -------
    config : the configuration for which it was compiled.
    network : name of the network.
    images : number of images in a batch.
    input_mode : how a static image becomes T frames: "repeat" shows it in every timestep, "once" in the first only, and
        with "given" all frames are given.
    base, size : the accelerator uses the byte addresses ``base .. base+size-1``.
    data : bytes of the constant part, from ``base`` on: weights, parameters, segments and program.
    program : byte address of the first command.
    features : feature maps by key. The key is the name of the layer that writes the map, or "input"; a second map of
        the same levels in another encoding has ``/encoding`` after it.
    layers : the layers, in the order of the program.
    regions : what lies where in memory.
    """

    config: HardwareConfig
    network: str
    images: int
    input_mode: str
    base: int
    size: int
    data: bytes = field(repr=False)
    program: int
    features: Mapping[str, FeatureMap] = field(repr=False)
    layers: tuple[LayerEntry, ...] = field(repr=False)
    regions: tuple[Region, ...] = field(repr=False)

    def commands(self) -> list[tuple[str, dict[str, int]]]:
        """Return the decoded program: for each command up to END its opcode's name and its fields."""
        found: list[tuple[str, dict[str, int]]] = []
        at = self.program - self.base
        while not found or found[-1][0] != "END":
            found.append(unpack(self.data[at : at + COMMAND_BYTES]))
            at += COMMAND_BYTES
        return found

    @property
    def program_bytes(self) -> int:
        """Bytes of the program, END included."""
        return next(region.bytes for region in self.regions if region.kind == "program")

    def at(self, base: int) -> MemoryImage:
        """Return the image as it would have been compiled for another base address.

        Raises
        ------
        RepriseError
            The base is not a multiple of BASE_ALIGNMENT, or the image would end beyond the memory port's addresses.
        """
        return moved(self, base)

    def outputs(self) -> dict[str, FeatureMap]:
        """Return the maps that can be read after a job, in the order of the program; the last is the network's result.

        These are the maps whose memory no later layer has used again.
        """
        written = [(entry.feature, self.features[entry.feature]) for entry in self.layers]
        return {
            key: f
            for n, (key, f) in enumerate(written)
            if not any(f.address < g.address + g.bytes and g.address < f.address + f.bytes for _, g in written[n + 1 :])
        }

    def inputs(self) -> list[FeatureMap]:
        """Return the maps of the input, of which there is one for each encoding."""
        return [f for f in self.features.values() if f.name == "input"]

    @property
    def windows(self) -> Windows:
        """The tightest windows in which the program runs: it reads all of the image, and writes what layers compute."""
        written = [f for f in self.features.values() if f.name != "input"]
        base, word = min(f.address for f in written), self.config.bus_bits // 8
        size = -(-(max(f.address + f.bytes for f in written) - base) // word) * word
        whole = AddressWindow(base=self.base, size=-(-self.size // word) * word)
        return Windows(read=whole, write=AddressWindow(base=base, size=size))

    @property
    def input_address(self) -> int:
        """Byte address to which a host writes what :meth:`pack_input` returns."""
        return self.inputs()[0].address

    def input_frames(self, images: np.ndarray) -> np.ndarray:
        """Return images as frames of shape (images, T, C, H, W).

        Static images of shape (images, C, H, W) become T frames according to ``input_mode``. Images that have all
        frames already are returned as they are.

        Raises
        ------
        ValueError
            When the images have other axes.
        """
        images = np.asarray(images)
        if images.ndim == 5:
            return images
        if images.ndim != 4 or self.input_mode == "given":
            axes = "(images, T, C, H, W)" + ("" if self.input_mode == "given" else " or (images, C, H, W)")
            raise ValueError(f"images must be of axes {axes}, not of shape {images.shape}")
        frames = np.repeat(images[:, None], self.inputs()[0].timesteps, axis=1)
        if self.input_mode == "once":
            frames[:, 1:] = 0
        return frames

    def pack_input(self, images: np.ndarray) -> bytes:
        """Return the bytes that a host writes at ``input_address`` before it starts the accelerator.

        Parameters
        ----------
        images : levels (images, C, H, W), or (images, T, C, H, W) for all frames.

        Raises
        ------
        ValueError
            When the number of images or their shape is another, or a level is out of range.
        """
        frames = self.input_frames(images)
        maps = self.inputs()
        data = bytearray(maps[-1].address + maps[-1].bytes - self.input_address)
        for f in maps:
            at = f.address - self.input_address
            data[at : at + f.bytes] = f.pack(frames)
        return bytes(data)

    def initial_memory(self, images: np.ndarray | None = None, fill: int = 0) -> np.ndarray:
        """Return the memory before the start as uint8[size].

        Bytes that nobody has written hold ``fill``. Without ``images`` the input is not written either.
        """
        memory = np.full(self.size, fill, np.uint8)
        memory[: len(self.data)] = np.frombuffer(self.data, np.uint8)
        if images is not None:
            packed = np.frombuffer(self.pack_input(images), np.uint8)
            at = self.input_address - self.base
            memory[at : at + len(packed)] = packed
        return memory

    def read_feature_map(self, memory: bytes | np.ndarray, name: str) -> np.ndarray:
        """Return the levels of a feature map, or a readout's potentials, from the accelerator's memory.

        Their shape is (images, T, C, H, W). Unless the network was compiled with ``keep_features``, only results can be
        read, and maps that no later layer has overwritten.

        Parameters
        ----------
        memory : the bytes ``base .. base+size-1``
        name : a key of ``features``

        Raises
        ------
        KeyError
            When the name is unknown.
        ValueError
            When the bytes are no feature map (see FeatureMap.unpack).
        """
        if name not in self.features:
            raise KeyError(f"feature must be one of {list(self.features)}, not {name!r}")
        f = self.features[name]
        data = np.frombuffer(memory, np.uint8) if isinstance(memory, (bytes, bytearray)) else memory
        at = f.address - self.base
        return f.unpack(data[at : at + f.bytes])

    @property
    def format(self) -> int:
        """The version of ``memory.json``: the oldest in which readers know all that the feature maps say."""
        maps = self.features.values()
        return max(ORDERED_FORMAT if f.order else GATHERED_FORMAT if f.taps > 1 else FORMAT for f in maps)

    def to_dict(self) -> dict:
        """Return the map of the memory, ready for JSON."""
        return {
            "format": self.format,
            "network": self.network,
            "images": self.images,
            "input_mode": self.input_mode,
            "base": self.base,
            "size": self.size,
            "constant_bytes": len(self.data),
            "alignment": BASE_ALIGNMENT,
            "program": self.program,
            "program_bytes": self.program_bytes,
            "configuration_hash": int(self.config.digest()[:8], 16),
            "windows": asdict(self.windows),
            "input": {"address": self.input_address, "features": [f.name for f in self.inputs()]},
            "outputs": list(self.outputs()),
            "config": self.config.built(),
            "features": {key: f.to_dict() for key, f in self.features.items()},
            "layers": [asdict(entry) for entry in self.layers],
            "regions": [asdict(region) for region in self.regions],
        }

    def save(self, folder: str | Path) -> None:
        """Write ``memory.bin`` (the constant part) and ``memory.json`` (the map) into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.bin").write_bytes(self.data)
        (folder / "memory.json").write_text(json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> MemoryImage:
        """Read what :meth:`save` wrote.

        Raises
        ------
        RepriseError
            When a file is missing or damaged, the format is another, or the bytes and the map do not belong together.
        """
        from .memory_file import read_image

        return read_image(Path(folder))
