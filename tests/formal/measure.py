"""Runs the proofs and records for each property on what it was proven, by which engine, how deep, and how long it took.

``python -m tests.formal.measure --write`` writes ``docs/measured/proofs.json``, of which ``make docs`` makes a table.
Times are of one machine, and nothing tests them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import typer

from reprise.support.command_line import Write, commands, example, main
from reprise.support.errors import RepriseError

NAME = "python -m tests.formal.measure"
ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "measured" / "proofs.json"
MASTERS, FIFOS = "`WriteMaster`, `ReadArbiter`", "`StreamFifo`, `PushFifo`, `SmallFifo`, `SkidBuffer`"
SMALL = "`WriteMaster` with short queues"
PROPERTIES = {
    "window::test_windows_hold_forever": (
        "no AW or AR leaves its window; none begins after a halt; valid and payload stay until ready",
        MASTERS,
    ),
    "window::test_bursts_end_at_their_group": ("no burst spans a multiple of BURST_BEATS words", SMALL),
    "window::test_bursts_make_up_their_request": (
        "the bursts of a reader make up each request, in order, and no more words are asked for than there is room for",
        "2 words a burst",
    ),
    "window::test_jobs_forever": (
        "nothing begins without a job; no reset cuts a burst; a job ends once",
        "`Sequencer`",
    ),
    "write::test_every_address_gets_its_data": (
        "each AW has AWLEN + 1 W, the last with WLAST; no W comes without its AW; quiet means that each has its B",
        f"{SMALL}, those of words and closed bursts cut out",
    ),
    "write::test_data_never_waits": ("while an AW lacks some W, at most 1 cycle passes without WVALID", SMALL),
    "write::test_nothing_moves_without_a_job": (
        "no handshake and no valid from `done` to the next start",
        "`Sequencer`, `WriteMaster` and `ReadArbiter` together, with short queues",
    ),
    "stream::test_nothing_is_lost_or_reordered": ("nothing is lost, repeated or reordered", FIFOS),
    "stream::test_stream_rule_forever": ("valid and payload stay until ready", FIFOS),
    "loader::test_runs_make_up_their_set": (
        "the runs of rows are disjoint, ascending, as long as can be, and together what is used",
        "`RowRuns`, K tiles of 4 bits",
    ),
    "loader::test_no_tile_is_forgotten": (
        "of each tile that is not whole its used rows come, in 2 cycles; of no other one anything",
        "`UsedRows` with a queue of 4 tiles",
    ),
    "loader::test_no_word_is_read_while_it_is_written": (
        "no word of the memory is read for the reader in the cycle in which it is written",
        "`RowTable` with any run, 8 rows of 2 sources",
    ),
    "loader::test_an_addend_is_there_when_it_is_taken": (
        "the addend of each group of sums has come when it is added; no more are counted than wait",
        "`NeuronSelect` with its queue of addends",
    ),
    "loader::test_no_buffer_is_taken_before_it_is_drained": (
        "no m tile takes a buffer of partial sums, or a half of it, before it is drained; the drain takes the oldest",
        "`Scoreboard` and `drained_buffer`, m tiles of any widths",
    ),
    "loader::test_what_is_granted_is_the_sum_of_its_updates": (
        "what the drain is granted is the sum of the row's updates, and it is granted unless an update must read",
        "`PsumBank`, one of two, any rows of 4",
    ),
    "stream::test_windows_end_where_they_should": (
        "windows of three that share lines end where they should, as many as there are outputs, and so does the axis",
        "`WindowPhase`, any number of windows, with and without a halo and a last window of two positions",
    ),
    "stream::test_each_group_is_added_to_the_stored_one_of_its_number": (
        "each group that is fired is added to the stored one of its number, and clipped; nothing is lost or repeated",
        "`LevelSum`",
    ),
    "stream::test_a_join_reads_the_levels_of_its_map": (
        "the levels that a join adds are those of its map: of each bit of the memory, the level whose plane it is",
        "`JoinLoader`, maps of 2 planes, 2 groups, 2 timesteps and images",
    ),
    "frontend::test_sorting_is_a_permutation": (
        "each row comes out once, by popcount, after its possible prefixes",
        "`Sorter`, tiles of 8 rows",
    ),
    "frontend::test_prefixes_are_the_best": (
        "each row's prefix is its tile's best earlier subset, by both rules of one-bit rows; the residual is the rest",
        "`Detector` and `Pruner` together, up to 6 rows of 4 bits",
    ),
    "frontend::test_modes_take_what_they_say": (
        "no row has a prefix but in a product-sparse RUN; of a dense one all bits of a tile take slots",
        "`Detector` and `Pruner` together, 3 rows of 4 bits",
    ),
    "frontend::test_rows_are_steered": ("each row goes to its queue, in order and with its tag", "`Dispatcher`"),
    "frontend::test_stream_rule_forever": (
        "valid and payload stay until ready",
        "`ClassChooser`, `WordWalker`, `RowMemory`, `RowPicker`",
    ),
}
"""For each proof, by file and test: the property, and the module on which it is proven."""


def node(name: str) -> str:
    """Return the pytest node of a key of PROPERTIES."""
    part, _, test = name.partition("::")
    return f"tests/formal/test_{part}_proofs.py::{test}"


def measured() -> dict:
    """Run all proofs, one after the other, and return the record."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "pytest", "-q", "-x", *map(node, PROPERTIES)]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PROOF_LOG": str(log)}, capture_output=True, text=True
        )
        if done.returncode or not log.exists():
            raise RepriseError(f"a proof failed, or there is no SymbiYosys:\n{done.stdout[-3000:]}")
        ran = [json.loads(line) for line in log.read_text().splitlines()]
    proofs = []
    for name, (text, module) in PROPERTIES.items():
        cases = [one for one in ran if one["test"].partition("[")[0] == node(name)]
        depths = sorted({one["depth"] for one in cases if one["depth"]})
        about = {"property": text, "module": module, "test": node(name), "engine": cases[0]["engine"]}
        seconds = round(sum(one["seconds"] for one in cases), 1)
        proofs.append({**about, "depths": depths, "cases": len(cases), "seconds": seconds})
    return {"command": f"{NAME} --write", "cores": os.cpu_count(), "proofs": proofs}


app = commands()


@app.command(epilog=example(f"{NAME} --write"))
def measure(write: Write = False) -> None:
    """Run all proofs and say how long each took; with --write, record it."""
    found = measured()
    for one in found["proofs"]:
        print(f"{one['seconds']:7.1f} s  {one['test']}")
    if write:
        RECORD.write_text(json.dumps(found, indent=1) + "\n")
    raise typer.Exit(0)


if __name__ == "__main__":
    main(app, NAME)
