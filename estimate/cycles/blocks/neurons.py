"""The neuron array (hw.neurons): rows are cut into groups, which pass a pipeline, a queue and a reorder buffer."""

from __future__ import annotations

from ....hw.interface.row_order import EARLY
from ....hw.neurons.integrate import NeuronIntegrate
from ....hw.neurons.select import QUEUE, NeuronSelect
from ..state import Record, jit

LAST_PLANE, LAST_T, LAST_GROUP, LAST_POSITION, LAST = 1, 2, 4, 8, 16
CONTEXT = 32
"""An item in the pipeline is the sum of its flags and of its context times CONTEXT."""

SELECTED = NeuronSelect.LATENCY - 2
"""The first stage of the pipeline, whose register holds the group that has been selected. The row's buffer is before
it."""

PLANES = SELECTED + NeuronIntegrate.PLANES
"""The stage whose register holds the sum of the planes that have come so far."""

SUM = SELECTED + NeuronIntegrate.LATENCY
"""The stage whose register holds U. One stage for each bit of a level follows."""

POTENTIAL = SUM - EARLY
"""The stage that reads the potential of the timestep before."""


@jit
def reorder_out(neurons: Record, run: Record, takes: bool) -> None:
    """Step the reader of the reorder buffer; the side that it frees is seen to be free from the next cycle on."""
    if neurons.ro_valid and not takes:
        return
    h = neurons.r_buffer
    there = neurons.buffer_full[h] or (neurons.w_buffer == h and neurons.r_t < neurons.w_t)
    neurons.ro_valid = there
    if not there:
        return
    neurons.ro_group = neurons.r_group + 1 == run.groups
    neurons.ro_last_t = neurons.r_t + 1 == run.timesteps
    context = neurons.r_base + neurons.r_group
    neurons.r_group += 1
    if not neurons.ro_group:
        return
    neurons.r_group = 0
    neurons.r_t += 1
    if not neurons.ro_last_t:
        return
    neurons.r_t = 0
    neurons.r_base = context + 1
    if context == neurons.buffer_context[h]:
        neurons.r_base = 0
        neurons.buffer_full[h] = 0
        neurons.r_buffer = 1 - h


@jit
def reorder_in(neurons: Record, item: int) -> None:
    """Write an item into the side of the reorder buffer that is being written."""
    if not (item & LAST_POSITION and item & LAST_GROUP):
        return
    h = neurons.w_buffer
    neurons.w_t += 1
    neurons.buffer_context[h] = item // CONTEXT
    if item & LAST_T:
        neurons.w_t = 0
        neurons.buffer_full[h] = 1
        neurons.w_buffer = 1 - h


@jit
def offered(neurons: Record) -> int:
    """Return the item at the end of the queue or, if that is empty, of the pipeline, and -1 if there is none either."""
    if neurons.q_out < neurons.q_in:
        return neurons.queue[neurons.q_out % QUEUE]
    return neurons.pipe[neurons.stages - 1]


@jit
def advance(neurons: Record, run: Record, takes: bool) -> None:
    """Step the pipeline and its queue, from their end; ``takes`` says that what the queue offers is taken."""
    pipe, stages = neurons.pipe, neurons.stages
    neurons.inside_then = neurons.inside  # what leaves now is counted a cycle later, as the RTL's register does
    if takes:
        neurons.q_out += 1
        neurons.inside -= 1
    if pipe[stages - 1] >= 0:
        neurons.queue[neurons.q_in % QUEUE] = pipe[stages - 1]
        neurons.q_in += 1
    if run.addend_bytes and pipe[PLANES] >= 0:
        neurons.popped += 1
    for n in range(stages - 1, 0, -1):
        pipe[n] = pipe[n - 1]
    pipe[0] = -1
    if pipe[PLANES] >= 0 and not pipe[PLANES] & LAST_PLANE:
        pipe[PLANES] = -1  # its sum stays there and waits for the other planes


@jit
def written(neurons: Record, run: Record, context: int) -> bool:
    """Return whether a group that leaves now will find the potential that the last group of its context leaves."""
    last = SUM if run.no_reset or run.readout else neurons.stages - 1
    for n in range(1, last - POTENTIAL):
        if neurons.pipe[n] >= 0 and neurons.pipe[n] & LAST_PLANE and neurons.pipe[n] // CONTEXT == context:
            return False
    return True


@jit
def select(neurons: Record, run: Record) -> bool:
    """Send the next group of the buffered row into the pipeline, and return whether the buffer takes a row."""
    room, neurons.room = neurons.room, neurons.inside_then < QUEUE  # the RTL knows it a cycle ahead
    there, neurons.there = neurons.there, neurons.addends > 0
    room = room and (there or not run.addend_bytes)
    if not neurons.full:
        return True
    last_plane, last_t = neurons.last_plane, neurons.t + 1 == run.timesteps
    last_group = neurons.group + 1 == run.groups
    context = neurons.base + neurons.group
    if last_plane and not (room and (neurons.t == 0 or written(neurons, run, context))):
        return False
    neurons.inside += last_plane
    neurons.room = neurons.inside_then + last_plane < QUEUE
    if run.addend_bytes:
        neurons.there = neurons.addends > last_plane
        neurons.addends -= last_plane
    item = CONTEXT * context + LAST_PLANE * last_plane + LAST_T * last_t + LAST_GROUP * last_group
    neurons.pipe[0] = item + LAST_POSITION * neurons.last_position + LAST * neurons.last
    neurons.group += 1
    if not last_group:
        return False
    neurons.group = neurons.full = 0
    if last_plane or neurons.last:
        neurons.base = context + 1
        if neurons.last_position or neurons.last:
            neurons.base = 0
            neurons.t = 0 if last_t or neurons.last else neurons.t + 1
    return True


@jit
def take(neurons: Record, last_plane: bool, last_position: bool, last: bool) -> None:
    """Put a row into the buffer."""
    neurons.full, neurons.last_plane, neurons.last_position, neurons.last = 1, last_plane, last_position, last
