"""Events that the performance counters count."""

from __future__ import annotations

from amaranth.lib import data

from ..arch.config import HardwareConfig


def events_layout(c: HardwareConfig) -> data.StructLayout:
    """What happened in a cycle; the processor's events follow under their own names (``hw.processor.processor``)."""
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


def processor_events(c: HardwareConfig) -> data.StructLayout:
    """What happens in a cycle; a counter per field gives usage and the causes of stalls.

    The ``stall`` fields up to ``stall_reuse`` say why the accumulators add nothing while the processor is busy: at most
    one of them is set, and then ``residual_bit`` isn't. The others are about the partial sums and the output.
    """
    return data.StructLayout(
        {
            "busy": 1,  # a tile or a partial sum is inside
            "residual_bit": 1,  # a weight row is added
            "compute_row": 1,  # a compute row is finished
            "reuse_rows": range(c.banks + 1),  # exact matches accumulated
            "stall_row": 1,  # no compute row has come
            "stall_lead": 1,  # its tile must wait for the result buffer of the tile two before it
            "stall_drain": 1,  # the same, because the partial sums of an earlier m tile are still being drained
            "stall_weights": 1,  # its tile's weights have not come
            "stall_hazard": 1,  # its row's partial sum is being updated for another tile
            "stall_reuse": 1,  # it lets reuse rows go first: they have the read port, or belong to the m tile before
            "wait_prefix": 1,  # a reuse row waits for its prefix or its tile
            "wait_output": 1,  # a finished row of partial sums isn't taken
        }
    )
