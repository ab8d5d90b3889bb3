"""The events that the performance counters count."""

from __future__ import annotations

from amaranth.lib import data

from ..arch.config import HardwareConfig


def events_layout(c: HardwareConfig) -> data.StructLayout:
    """Return a layout of what happened in the whole accelerator in a cycle; each field is a counter's increment.

    The events of :func:`processor_events` follow at the end, under their own names.
    """
    return data.StructLayout(
        {
            "command": 1,  # a command was issued
            "run_start": 1,
            "run_end": 1,
            "run_busy": 1,
            "load_busy": 1,  # features, segments or parameters are being loaded
            "read_beat": 1,
            "write_beat": 1,
            "rows_busy": 1,  # im2col has beats of rows to give for the run
            "rows_word": 1,  # a beat of rows was taken from im2col
            "rows_wait": 1,  # a beat of rows is ready, but isn't taken
            "weights_busy": 1,  # weights of the run are being fetched
            "weights_row": 1,  # a weight row was taken
            "weights_wait": 1,  # a weight row has come, but waits for its slot to become free
            "neurons_item": 1,  # a group's levels or potentials were taken from the neuron array
            "neurons_wait": 1,  # a group's levels or potentials are ready, but aren't taken
            "output_word": 1,  # a bus word was given to the write master
            "output_wait": 1,  # a bus word is ready for the write master, but isn't taken
            **{name: shape for name, shape in processor_events(c).members.items()},
        }
    )


def processor_events(c: HardwareConfig) -> data.StructLayout:
    """Return a layout of what happens in the processor in a cycle.

    A counter of each field shows how well the processor is used and what stalls it. The ``stall`` fields say why the
    accumulators add nothing although the processor is busy: at most one of them is set in a cycle, and only in one in
    which ``residual_bit`` isn't. The ``wait`` fields are about the partial sums and the output.
    """
    return data.StructLayout(
        {
            "busy": 1,  # a tile or a partial sum is inside the processor
            "residual_bit": 1,  # a weight row of a bank, or of several ones, is added
            "compute_row": 1,  # the last residual bit of a compute row is issued
            "reuse_rows": range(c.banks + 1),  # number of exact matches whose partial sums are updated
            "stall_row": 1,  # no compute row has come
            "stall_lead": 1,  # the compute row's tile waits for the result buffer that the tile two before it uses
            "stall_drain": 1,  # the compute row's tile waits because an earlier m tile is still being drained
            "stall_weights": 1,  # the weights of the compute row's tile have not come
            "stall_hazard": 1,  # the compute row's partial sum is still being updated for another tile
            "stall_reuse": 1,  # reuse rows go first: they have the read port, or belong to the m tile before
            "wait_prefix": 1,  # a reuse row waits for its prefix or for its tile to enter
            "wait_output": 1,  # a finished row of partial sums isn't taken
        }
    )
