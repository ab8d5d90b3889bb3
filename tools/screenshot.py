"""Makes ``docs/img/report.png``, the picture of a report's page, and ties it to the figures that it shows.

The page is that of ``docs/measured/cosim.json``, which is ``report.json`` of the co-simulation in RTL that it names:
``reprise cosim digits --config paper``, with the shipped network and its sample images. The picture holds the digest of
that report's figures, by which a test finds out, without any browser, that it is of another report. A browser (Chromium
or Chrome) draws it; where there is none, the picture stays as it is.

``python -m tools.screenshot`` says whether the picture is of the present figures, and ends with exit code 1 if it is
not. With ``--write`` it is drawn if it is not, and with ``--write --again`` in any case.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reprise.cosim.report.html import write_html
from reprise.cosim.report.pictures import Inputs
from reprise.export.find import open_network
from reprise.hw.arch.config import HardwareConfig
from reprise.support.command_line import Write, commands, example, main

NAME = "python -m tools.screenshot"
ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "img" / "report.png"
RECORD = ROOT / "docs" / "measured" / "cosim.json"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1280, 1080)
"""Width and height of the window, in pixels: the first screen, and where the cycles go."""

MADE = ("date", "command", "commit", "versions", "stage_seconds")
"""Fields of a report that say how it was made; they change without any figure."""

COUNTED = ("cause_cycles", "stall_cycles", "counters", "model_error_fraction")
"""Fields that only the RTL gives. Its cycles are those of the cycle model, which is exact."""

app = commands()


def figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return what a report says that the exact cycle model and the interpreter say as well, without any RTL."""
    found = {key: value for key, value in report.items() if key not in (*MADE, "engine")}
    # As in its digest, a configuration has no part that is not built: a new field makes no figure an old one.
    found["configuration"] = {name: value for name, value in found["configuration"].items() if value != 0}
    parts = {"layers": [*found["layers"]], "rest": [found["rest"]], "total": [found["total"]]}
    for key, ones in parts.items():
        bare = [{name: value for name, value in one.items() if name not in COUNTED} for one in ones]
        bare = [one | {"cycles": {k: v for k, v in one["cycles"].items() if k != "rtl"}} for one in bare]
        found[key] = bare if key == "layers" else bare[0]
    return found


def digest(report: dict[str, Any]) -> str:
    """Return the SHA-256 of a report's :func:`figures`, in hexadecimal."""
    return hashlib.sha256(json.dumps(figures(report), sort_keys=True).encode()).hexdigest()


def shown(picture: Path) -> str | None:
    """Return the digest of the figures that a picture shows, or None if it does not say."""
    with Image.open(picture) as image:
        found = image.info.get("figures")
    return found if isinstance(found, str) else None


def browser() -> str | None:
    """Return the path of a browser that can draw a page without a screen, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def shoot(program: str, page: Path, picture: Path, size: tuple[int, int] = SIZE) -> None:
    """Let a browser draw a page of files into a PNG.

    Raises
    ------
    subprocess.CalledProcessError
        The browser failed.
    """
    with tempfile.TemporaryDirectory() as profile:
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += ["--disable-background-networking", f"--user-data-dir={profile}"]
        # The page is drawn when its own clock is at 10 s and every stage is done, and not when a busy machine says so.
        command += ["--virtual-time-budget=10000", "--run-all-compositor-stages-before-draw"]
        command += [f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def draw(report: dict[str, Any], program: str, picture: Path) -> None:
    """Draw the page of a report of the shipped digits, and write it as a picture that says which figures it shows."""
    file = open_network("digits", HardwareConfig.load("paper"))
    inputs = Inputs(
        images=file.images[report["image_numbers"]],
        levels=file.network.input_levels,
        signed=file.network.input_signed,
    )
    with tempfile.TemporaryDirectory() as name:
        page, drawn = Path(name) / "report.html", Path(name) / "report.png"
        write_html(report, page, inputs)
        shoot(program, page, drawn)
        told = PngInfo()
        told.add_text("figures", digest(report))
        with Image.open(drawn) as image:
            small = image.convert("RGB").quantize(128, dither=Image.Dither.NONE)
            small.save(picture, pnginfo=told, optimize=True)


@app.command(epilog=example(f"{NAME} --write --again"))
def screenshot(
    write: Write = False,
    again: Annotated[bool, typer.Option("--again", help="draw it even if it shows the present figures")] = False,
) -> None:
    """Draw the picture of the report in docs/img, if it is not of the figures in docs/measured."""
    report = json.loads(RECORD.read_text())
    name, stale = PICTURE.relative_to(ROOT), shown(PICTURE) != digest(report)
    if not write:
        print(f"{name}: {'of other figures' if stale else 'of the present figures'}")
        raise typer.Exit(int(stale))
    if not stale and not again:
        return
    program = browser()
    if program is None:
        print(f"{name} stays as it is: none of {', '.join(BROWSERS)} is on the path (apt install chromium)")
        return
    draw(report, program, PICTURE)
    print(f"written: {name}")


if __name__ == "__main__":
    main(app, NAME)
