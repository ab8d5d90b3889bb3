"""Events that the performance counters count."""

from __future__ import annotations

from amaranth.lib import data

from .config import HardwareConfig
from .processor import processor_events


def events_layout(c: HardwareConfig) -> data.StructLayout:
    """What happened in a cycle; the processor's events follow under their own names (``hw.processor``)."""
    return data.StructLayout(
        {
            "command": 1,  # a command was issued
            "run_start": 1,
            "run_end": 1,
            "run_busy": 1,
            "load_busy": 1,  # features, segments or parameters are being loaded
            "read_beat": 1,
            "write_beat": 1,
            "rows_busy": 1,  # im2col has words of the run to give
            "rows_word": 1,  # a word of rows was taken
            "rows_wait": 1,  # a word of rows waits
            "weights_busy": 1,  # weights of the run are being fetched
            "weights_row": 1,  # a weight row was taken
            "weights_wait": 1,  # a weight row waits for its slot
            "neurons_item": 1,  # a group's levels or potentials were taken
            "neurons_wait": 1,  # they wait
            "output_word": 1,  # a word was given to the write master
            "output_wait": 1,  # it waits
            **{name: shape for name, shape in processor_events(c).members.items()},
        }
    )
