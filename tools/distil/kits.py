"""What is kept of a design kit's Liberty file, and which of its cells play which part."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A design kit's standard cells at a corner.

    Members
    -------
    source : what it is, where it comes from, and its licence
    corner : process, voltage and temperature, for people
    left_out : beginnings of the names of cells that mapping does not use
    slews_ns : at which tables are kept
    loads : which of a table's loads are kept
    slew_ns, load_pf : where energies are read
    setup_slews_ns : slews of the clock and of the data at which setup times are read
    roles : names of the NAND by which area is counted, of the flip-flop, the latch and the others that the flow needs
    tie : cell and pin that give a constant; none if the kit has no such cells
    areas : in square micrometres, of cells whose area the Liberty file lacks
    gate_of : inverter, latch and AND that a clock gate is made of, where the kit has none
    """

    source: dict[str, str]
    corner: str
    left_out: tuple[str, ...]
    slews_ns: tuple[float, ...]
    loads: tuple[int, ...]
    slew_ns: float
    load_pf: float
    setup_slews_ns: tuple[float, float]
    roles: dict[str, str]
    tie: dict[str, list[str]] = field(default_factory=dict)
    areas: dict[str, float] = field(default_factory=dict)
    gate_of: tuple[str, ...] = ()


IHP = "sg13g2_"

KITS = {
    "sg13g2": Kit(
        source={
            "what": "IHP Open PDK SG13G2, 130 nm BiCMOS: standard cells at the typical corner, and SRAM macros",
            "repository": "https://github.com/IHP-GmbH/IHP-Open-PDK",
            "commit": "5cccb161",
            "licence": "Apache-2.0",
        },
        corner="130 nm at the typical corner (1.2 V, 25 degrees)",
        # layout, delays, tristate, scan, reset latches, and flip-flops with an inverted output
        left_out=tuple(
            f"{IHP}{name}"
            for name in "fill decap antenna dlygate ebufn einvn sdf sighold slgcp dlhr dll dfrbp_".split()
        ),
        slews_ns=(0.0186, 0.0966, 0.3294, 2.5074),
        loads=(0, 1, 3, 6),
        slew_ns=0.0966,
        load_pf=0.0234,
        setup_slews_ns=(0.1, 0.2),
        roles={
            "gate": f"{IHP}nand2_1",
            "flip_flop": f"{IHP}dfrbpq_1",
            "latch": f"{IHP}dlhq_1",
            "clock_gate": f"{IHP}lgcp_1",
            "buffer": f"{IHP}buf_4",
            "multiplexer": f"{IHP}mux4_1",
        },
        tie={"0": [f"{IHP}tielo", "L_LO"], "1": [f"{IHP}tiehi", "L_HI"]},
    ),
    "osu018": Kit(
        source={
            "what": "Oklahoma State University's standard cells for 180 nm CMOS at the typical corner",
            "repository": "https://packages.debian.org/qflow-tech-osu018",
            "commit": "1.3.17+dfsg.1-3",
            "licence": "GPL (as Debian packages it)",
        },
        corner="180 nm at the typical corner (1.8 V, 25 degrees)",
        # clock buffers, tristate, other flip-flops, and adders with two outputs
        left_out=("CLKBUF", "TBUF", "DFFNEG", "DFFSR", "FAX", "HAX"),
        slews_ns=(0.06, 0.18, 0.6, 1.2),
        loads=(0, 1, 3, 4),
        slew_ns=0.1,
        load_pf=0.0234,
        setup_slews_ns=(0.1, 0.2),
        roles={
            "gate": "NAND2X1",
            "flip_flop": "DFFPOSX1",
            "latch": "LATCH",
            "clock_gate": "CLOCKGATE",
            "buffer": "BUFX4",
            "multiplexer": "MUX2X1",
        },
        areas={"LATCH": 56.0},  # of its LEF file
        gate_of=("INVX1", "LATCH", "AND2X1"),
    ),
}
"""The kits by name: the one that Reprise ships, and a second one to hold the method against."""
