"""Measures what one step of each field of a configuration costs: area, and cycles of a network.

Every field of the preset ``small`` is made smaller and larger by a step, one at a time. The area is that of
``reprise area``, and the cycles are those of ``reprise estimate digits --images 8``. With ``--write`` they go to
``docs/measured/config_costs.json``, from which ``make docs`` makes a table of docs/configuration.md. It takes about two
minutes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import typer

from reprise.hw.arch.config import ConfigError, HardwareConfig
from reprise.support.command_line import Write, commands, example, main
from tools.tables import MEASURED

NAME = "python -m tools.config_costs"
RECORD = MEASURED / "config_costs.json"
PRESET, NETWORK, IMAGES = "small", "digits", 8
STEPS = {
    "psum_bits": (16, 24),
    "membrane_bits": (20, 32),
    "weight_bits": (6,),
    "max_levels": (7, 31),
    "one_bit_matches": (1,),
    "masks": (1,),
    "addend_groups": (16,),
    "modes": (1,),
    "narrow_buffers": (1,),
    "pool_words": (256,),
    "joins": (1,),
}
"""The values of fields that are not halved and doubled."""

app = commands()


def steps(base: HardwareConfig) -> Iterator[tuple[str, int, HardwareConfig]]:
    """Yield each legal step from a configuration: the field, its new value, and the changed configuration."""
    for field, value in base.to_dict().items():
        for new in STEPS.get(field, (value // 2, value * 2)):
            try:
                yield field, new, base.replace(**{field: new})
            except ConfigError:
                continue  # a step that a rule forbids is no step


def costs(config: HardwareConfig) -> dict:
    """Return the area of an accelerator, and the cycles of the network, or what refuses it."""
    from reprise.compiler import CompileError
    from reprise.estimate.area import model
    from reprise.estimate.network import estimate
    from reprise.export.find import choose_images, open_network

    found: dict = dict(model.predict(config, model.load()).resources)
    file = open_network(NETWORK, config)
    try:
        report = estimate(file.network, config, choose_images(file, IMAGES, 0).images)
        found["cycles"] = report["total"]["cycles"]["cycle_model"]
    except CompileError as error:
        found["refused"] = str(error).splitlines()[0]
    return found


def measured() -> dict:
    """Return the content of the record."""
    base = HardwareConfig.load(PRESET)
    rows = [{"field": field, "value": value, **costs(config)} for field, value, config in steps(base)]
    about = {"command": f"{NAME} --write", "preset": PRESET, "network": NETWORK, "images": IMAGES}
    return about | {"base": costs(base), "steps": rows}


def text(found: dict) -> str:
    """Return the record as the text of its file, with a line for each step."""
    line = partial(json.dumps, ensure_ascii=False)
    head = [f" {line(key)}: {line(value)}" for key, value in found.items() if key != "steps"]
    rows = ",\n".join(f"  {line(row)}" for row in found["steps"])
    return "{\n" + ",\n".join([*head, f' "steps": [\n{rows}\n ]']) + "\n}\n"


@app.command(epilog=example(f"{NAME} --write"))
def config_costs(write: Write = False) -> None:
    """Measure what one step of each field costs; with --write, record it."""
    new = text(measured())
    stale = not RECORD.is_file() or RECORD.read_text() != new
    if stale and write:
        RECORD.write_text(new)
    if stale:
        print(f"{'written' if write else 'differs'}: {RECORD.name}")
    raise typer.Exit(int(stale and not write))


if __name__ == "__main__":
    main(app, NAME)
