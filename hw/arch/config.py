"""The frozen hardware configuration and its presets.

One :class:`HardwareConfig` describes a whole accelerator. It is checked once, when it is made, and every width that
follows from it is a property. Presets are YAML files under ``configs/hardware``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...support.errors import RepriseError
from ...support.presets import HARDWARE as PRESET_FOLDER
from ...support.presets import preset_file, preset_names
from ...support.yaml_file import read_yaml
from .config_rules import LIMITS, RELATIONS


class ConfigError(RepriseError):
    """A hardware configuration that cannot be built; the message names the field, the rule, the value and why."""


def clog2(n: int) -> int:
    """Return how many bits tell ``n`` things apart: ceil(log2(n)), and at least 1."""
    return max(1, (n - 1).bit_length())


@dataclass(frozen=True, kw_only=True)
class HardwareConfig:
    """Every parameter of the accelerator, checked when it is made.

    What each must be is in :mod:`reprise.hw.arch.config_rules`, and docs/configuration.md says what each costs. *The
    paper* is Prosperity (HPCA 2025, arXiv 2503.03379).

    Parameters
    ----------
    tile_m : number of rows of a tile. The paper has 256.
    tile_k : largest number of bits of a row in a tile; the compiler may choose fewer for a layer. The paper has 16.
    lanes : number of output channels that are computed side by side. The paper has 128.
    load_rows : number of rows that come in one beat.
    queries : number of non-zero rows that the detector takes per cycle.
    banks : number of banks of partial sums, each of which updates a row per cycle.
    weight_bits : bits of a signed weight.
    psum_bits : bits of a signed partial sum of one row over all of K.
    membrane_bits : bits of a signed membrane potential.
    max_levels : largest spike level that a neuron can fire.
    max_planes : largest number of planes of an output position. Pixels of 8 bits need 8.
    max_timesteps : largest number of timesteps of a layer.
    weight_banks : number of banks of weights, each of which gives a weight row per cycle. The weights of bit k of a row
        lie in bank ``k mod weight_banks``, so a row takes as many cycles as its residual has bits of one bank at most.
    weight_tiles : number of weight slots on chip. A layer with no more K tiles than this has its weights fetched once.
    neuron_lanes : number of output channels that the neuron array updates per cycle.
    bus_bits : data bits of the AXI4 memory port.
    feature_words : number of words of each copy of the feature buffer. A word has 32 bits, or ``tile_k`` bits if that
        is more.
    segments : number of entries of the segment table of im2col.
    one_bit_matches : 1 if a row of one bit that equals an earlier row of its tile is an exact match, so that nothing is
        added for it. With 0 such a row has no prefix, as in the paper.
    masks : 1 if segments can mask each other, so that a layer reads a map only where another one has spikes, else 0.
    addend_groups : number of groups of channels of an addend, a stored integer map that is added to the sums, which
        wait in front of the neurons. With 0 no addends are built.
    modes : 1 if a RUN can leave prefixes out, or take every bit of a row, zero or not, so that bit-sparse and dense
        processors can be compared on the same hardware, else 0.
    joins : 1 if a RUN can add the levels of a stored map to those that its neurons fire, so that a join of two maps is
        no RUN of its own, else 0.
    narrow_buffers : 1 if a RUN whose channels take at most half of the lanes has four buffers of partial sums, two in
        each half of the lanes, else 0. Every other RUN has two.
    pool_words : number of words of the line of levels that a max pool with 3x3 windows of stride 2 keeps: one for each
        output column, timestep and group. With 0 windows cannot overlap.

    Raises
    ------
    ConfigError
        When a rule is broken; the message names the field, the rule, the value and the reason.
    """

    tile_m: int = 256
    tile_k: int = 16
    lanes: int = 128
    load_rows: int = 8
    queries: int = 1
    banks: int = 1
    weight_bits: int = 8
    psum_bits: int = 24
    membrane_bits: int = 32
    max_levels: int = 15
    max_planes: int = 8
    max_timesteps: int = 32
    weight_banks: int = 1
    weight_tiles: int = 2
    neuron_lanes: int = 16
    bus_bits: int = 128
    feature_words: int = 2048
    segments: int = 1024
    one_bit_matches: int = 0
    masks: int = 0
    addend_groups: int = 0
    modes: int = 0
    narrow_buffers: int = 0
    pool_words: int = 0
    joins: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ConfigError(field=field.name, rule="an integer", value=value)
        for name, limit in LIMITS.items():
            value = getattr(self, name)
            if not limit.holds(value, self):
                raise ConfigError(field=name, rule=limit.rule(self), value=value, remedy=limit.why)
        for one in RELATIONS:
            if not one.holds(self):
                value = getattr(self, one.field)
                raise ConfigError(field=one.field, rule=one.filled(self), value=value, remedy=one.why)

    # These properties follow from the parameters. They are widths in bits unless they say otherwise.
    @property
    def row_bits(self) -> int:
        """Bits of the index of a row in its tile, and of the number of a TCAM entry over all banks."""
        return clog2(self.tile_m)

    @property
    def count_bits(self) -> int:
        """Bits of a number of rows, which is 0..tile_m."""
        return self.tile_m.bit_length()

    @property
    def result_bits(self) -> int:
        """Bits of a signed tile result, which is the sum of up to tile_k weights."""
        return self.weight_bits + clog2(self.tile_k)

    @property
    def weight_bank_bits(self) -> int:
        """Bits of the number of a bank of weights, 0 if there is only one."""
        return (self.weight_banks - 1).bit_length()

    @property
    def weight_sum_bits(self) -> int:
        """Bits of a signed sum of a weight from each bank."""
        return self.weight_bits + self.weight_bank_bits

    @property
    def level_bits(self) -> int:
        """Bits of a spike level, which is 0..max_levels."""
        return self.max_levels.bit_length()

    @property
    def groups(self) -> int:
        """Number of groups into which the lanes are cut, each of neuron_lanes output channels."""
        return self.lanes // self.neuron_lanes

    @property
    def narrow_groups(self) -> int:
        """Most groups of a RUN that has four buffers of partial sums; 0 where there are none of these."""
        return self.groups // 2 if self.narrow_buffers else 0

    @property
    def buffers(self) -> int:
        """Number of buffers of partial sums, each of which an m tile has until it is drained: 2 or 4."""
        return 4 if self.narrow_buffers else 2

    @property
    def buffer_bits(self) -> int:
        """Bits of the number of a buffer of partial sums."""
        return clog2(self.buffers)

    @property
    def tile_beats(self) -> int:
        """Number of input beats of a full tile."""
        return self.tile_m // self.load_rows

    @property
    def weight_row_bits(self) -> int:
        """Bits of a weight row in memory, which has a byte for each lane."""
        return self.lanes * 8

    @property
    def weight_slot_bits(self) -> int:
        """Bits of the number of a weight slot."""
        return clog2(self.weight_tiles)

    @property
    def feature_bits(self) -> int:
        """Bits of one word of the on-chip feature buffer."""
        return max(32, self.tile_k)

    def replace(self, **changes: Any) -> HardwareConfig:
        """Return a copy with some fields changed; it is checked like any other configuration."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, int]:
        """Return all fields by name, as :meth:`from_dict` reads them."""
        return dataclasses.asdict(self)

    def built(self) -> dict[str, int]:
        """Return the fields without those that are 0, whose parts are not built.

        So what is told of a configuration stays the same when a part appears that it does not have: its digest, and
        with it its netlist, and its memory images.
        """
        return {name: value for name, value in self.to_dict().items() if value}

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON of what is built, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.built(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_dict(cls, fields: object, *, origin: str = "configuration") -> HardwareConfig:
        """Make a configuration from a mapping of fields to integers; fields that it lacks keep their defaults.

        Parameters
        ----------
        fields : the mapping, which is checked
        origin : where it comes from, for error messages

        Raises
        ------
        ConfigError
            When it is no mapping, has an unknown field, or breaks a rule of the configuration.
        """
        if not isinstance(fields, dict):
            given = type(fields).__name__
            raise ConfigError(f"{origin}: must be a mapping of fields to integers, not {given}", where=origin)
        known = {f.name for f in dataclasses.fields(cls)}
        for name in fields:
            if name not in known:
                raise ConfigError(
                    f"{origin}: unknown field {name!r}; known: {', '.join(sorted(known))}",
                    where=origin,
                    field=str(name),
                )
        try:
            return cls(**fields)
        except ConfigError as error:
            raise error.within(origin) from None

    @classmethod
    def load(cls, name: str | Path) -> HardwareConfig:
        """Read a preset by its name (``tiny``, ``small``, ``paper``, ...) or a YAML file by its path.

        Raises
        ------
        ConfigError
            When there is no such preset or file, or when what it holds is no legal configuration.
        """
        given = Path(name)
        path = given if given.suffix in (".yaml", ".yml") else preset_file(PRESET_FOLDER, str(name))
        if path is None or not path.is_file():
            presets = ", ".join(preset_names(PRESET_FOLDER))
            raise ConfigError(
                field="config", rule=f"a preset ({presets}) or a YAML file", value=str(name), remedy="no such file"
            )
        fields = read_yaml(path, kind=ConfigError, rule="be a mapping of fields to integers")
        return cls.from_dict(fields, origin=path.name)
