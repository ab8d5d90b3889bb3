"""tools.config_costs: its steps are legal and cover every field, and the record is near what is computed now."""

import pytest

from reprise.hw.arch.config import HardwareConfig
from tools import config_costs
from tools.tables import configuration, record

SMALL = HardwareConfig.load(config_costs.PRESET)
RECORD = record("config_costs")


def test_every_field_has_a_step():
    steps = [(field, value) for field, value, _ in config_costs.steps(SMALL)]
    assert {field for field, _ in steps} == set(SMALL.to_dict())
    assert steps == [(one["field"], one["value"]) for one in RECORD["steps"]]
    for field, value, config in config_costs.steps(SMALL):
        assert config.to_dict() == {**SMALL.to_dict(), field: value} != SMALL.to_dict()


@pytest.mark.parametrize("field, value", [(None, None), ("bus_bits", 128)])
def test_the_record_is_near_what_is_computed_now(field, value):
    """Within 2 %: a change of the RTL moves the area a little, and need not measure everything anew."""
    config = SMALL if field is None else SMALL.replace(**{field: value})
    kept = next((one for one in RECORD["steps"] if (one["field"], one["value"]) == (field, value)), RECORD["base"])
    found = config_costs.costs(config)
    for key in (*configuration.RESOURCES, "cycles"):
        assert found[key] == pytest.approx(kept[key], rel=0.02), f"{key}: run {config_costs.NAME} --write"


def test_a_refused_network_is_recorded():
    found = config_costs.costs(SMALL.replace(max_planes=4))
    assert "cycles" not in found and "planes of its input must be at most max_planes=4, not 5" in found["refused"]


def test_the_text_is_the_record():
    assert config_costs.text(RECORD) == config_costs.RECORD.read_text()
