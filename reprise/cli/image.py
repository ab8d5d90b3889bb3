"""``reprise image`` compiles a network into what a host needs to run it on the accelerator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..support.command_line import OUTPUT_FOLDER, commands, example
from .options import Config, Images, Network, Set, hardware, terminal

app = commands()


def address(text: str) -> int:
    """Return a byte address that is given in decimal or, with 0x, in hexadecimal digits."""
    from ..support.errors import RepriseError

    try:
        return int(text, 0)
    except ValueError:
        raise RepriseError(field="--base", rule="an address such as 0x10000000", value=text) from None


@app.command(epilog=example("reprise image digits --config small --images 4"))
def image(
    network: Network,
    config: Config = "paper",
    changes: Set = None,
    images: Images = 1,
    base: Annotated[
        str, typer.Option(metavar="ADDRESS", help="physical address in memory.bin; a driver loads it anywhere")
    ] = "0",
    keep_features: Annotated[
        bool, typer.Option("--keep-features", help="keep the memory of every feature map, to read all of them")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", callback=OUTPUT_FOLDER, help="where to write it (default: build/image/NETWORK)"),
    ] = None,
) -> None:
    """Compile NETWORK for a batch: memory.bin, its map as C header and JSON, and samples with their class scores."""
    from ..compiler import compile_network
    from ..export.find import choose_images, find_network
    from ..flow.handoff.image_files import write_image

    chosen, console = hardware(config, changes), terminal()
    file, _ = find_network(network, chosen.config)
    pixels = choose_images(file, images, 0).images
    made = compile_network(file.network, chosen.config, images, base=address(base), keep_features=keep_features)
    folder = out or Path("build/image") / Path(network).stem
    write_image(folder, made, pixels)
    console.print(
        f"{folder}: {made.network} for {chosen.name}, {images} image(s) a batch; {len(made.data):,} constant bytes,"
        f" {made.size:,} bytes in all at {made.base:#x}; begin with {folder / 'image.h'} or memory.json",
        highlight=False,
    )
