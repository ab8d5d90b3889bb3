"""The hardware configuration: presets, rules, messages."""

import hashlib
import json
import re

import pytest

from reprise.hw.arch.config import PRESET_FOLDER, ConfigError, HardwareConfig
from reprise.hw.arch.config_rules import LIMITS, RELATIONS


@pytest.mark.parametrize("name", sorted(p.stem for p in PRESET_FOLDER.glob("*.yaml")))
def test_presets_load(name):
    config = HardwareConfig.load(name)
    assert HardwareConfig.from_dict(config.to_dict()) == config
    assert config.result_bits >= config.weight_bits + (config.tile_k - 1).bit_length()


def test_paper_preset_is_the_papers_size():
    config = HardwareConfig.load("paper")
    assert (config.tile_m, config.tile_k, config.lanes, config.banks, config.queries) == (256, 16, 128, 1, 1)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"tile_m": 100}, r"tile_m must be a power of two in 8\.\.1024, not 100: row indices"),
        ({"tile_k": 128}, r"tile_k must be a power of two in 4\.\.64, not 128"),
        ({"banks": 3}, r"banks must be 1\.\.2, not 3"),
        ({"queries": 0}, r"queries must be 1\.\.2, not 0"),
        ({"lanes": 100}, r"lanes must be a multiple of neuron_lanes=16, not 100"),
        ({"psum_bits": 8}, r"psum_bits must be 12\.\.32, not 8: a partial sum holds"),
        ({"membrane_bits": 16}, r"membrane_bits must be at least psum_bits=24, not 16"),
        ({"load_rows": 64, "tile_m": 32}, r"load_rows must be at most tile_m=32, not 64"),
        (
            {"bus_bits": 512, "lanes": 48},
            r"bus_bits must be a divisor or a multiple of weight_row_bits=384, the bits of .*, not 512: a weight",
        ),
        ({"weight_tiles": 1}, r"weight_tiles must be 2\.\.1024, not 1: one weight tile is used"),
        ({"lanes": 8.0}, r"lanes must be an integer, not 8\.0"),
        ({"banks": True}, r"banks must be an integer, not True"),
    ],
)
def test_init_wrong(changes, message):
    with pytest.raises(ConfigError, match=message):
        HardwareConfig(**changes)


def test_unknown_field_and_preset():
    with pytest.raises(ConfigError, match="unknown field 'tile'; known: addend_groups, banks, bus_bits"):
        HardwareConfig.from_dict({"tile": 4})
    with pytest.raises(ConfigError, match=r"config must be a preset \(.*paper.*\) or a YAML file, not 'huge'"):
        HardwareConfig.load("huge")


def test_bad_yaml_names_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("{tile_m: 10")
    with pytest.raises(ConfigError, match="mine.yaml: must be YAML"):
        HardwareConfig.load(path)
    path.write_text("{tile_m: 10}")
    with pytest.raises(ConfigError, match="mine.yaml: tile_m must be a power of two"):
        HardwareConfig.load(path)


def test_digest_follows_the_content():
    a, b = HardwareConfig(), HardwareConfig(banks=2)
    assert a.digest() == HardwareConfig().digest() != b.digest()


def test_a_later_field_leaves_the_digest_as_it_was():
    """That of the defaults before the field came; a netlist or an image with its default is the same as without it."""
    later = ("one_bit_matches", "masks", "addend_groups", "modes", "narrow_buffers", "pool_words", "joins")
    fields = {name: value for name, value in HardwareConfig().to_dict().items() if name not in later}
    before = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    assert HardwareConfig().digest() == before != HardwareConfig(one_bit_matches=1).digest()


def test_every_field_has_a_meaning_a_limit_and_a_reason():
    """What errors and docs/configuration.md say comes from the same data."""
    names = set(HardwareConfig().to_dict())
    assert set(LIMITS) == names and {one.field for one in RELATIONS} <= names
    assert LIMITS["psum_bits"].rule() == "result_bits..32" and LIMITS["psum_bits"].rule(HardwareConfig()) == "12..32"
    assert LIMITS["tile_m"].rule() == "a power of two in 8..1024"
    lanes = next(one for one in RELATIONS if one.field == "lanes")
    assert lanes.plain() == "a multiple of neuron_lanes"
    assert lanes.filled(HardwareConfig()) == "a multiple of neuron_lanes=16"


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_both_ends_of_a_limit(name):
    """The ends are legal by themselves, and one beyond each is refused with the reason."""
    limit, config = LIMITS[name], HardwareConfig()
    low = limit.low if isinstance(limit.low, int) else getattr(config, limit.low)
    assert limit.holds(low, config) and limit.holds(limit.high, config)
    for value in (low - 1, limit.high + 1):
        assert not limit.holds(value, config)
        with pytest.raises(ConfigError, match=f"{name} must be .*, not {value}: .*{re.escape(limit.why)}"):
            config.replace(**{name: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file must be a mapping of fields to integers, not 'an empty one'"),
        ("tile_m: 64\ntile_m: 128", "field 'tile_m' must be given once, not 'again in line 2'"),
        ("tile_m: 1.0", r"tile_m must be an integer, not 1\.0"),
        ("tile_m: 1e3", r"tile_m must be an integer, not 1000\.0"),
        ("tile_m: 0100", "must be a decimal number, true, false or a text, not '0100'"),
        ("tile_m: yes", "must be a decimal number, true, false or a text, not 'yes'"),
        ("tile_m: '64'", "tile_m must be an integer, not '64'"),
    ],
)
def test_a_file_means_one_thing_or_is_refused(text, message, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"mine.yaml: .*{message}"):
        HardwareConfig.load(tmp_path / "mine.yaml")


def test_a_preset_is_named_and_not_found_by_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(PRESET_FOLDER)
    for name in ("../hardware/tiny", "../tiny", str(PRESET_FOLDER / "tiny"), ""):
        with pytest.raises(ConfigError, match="config must be a preset"):
            HardwareConfig.load(name)
