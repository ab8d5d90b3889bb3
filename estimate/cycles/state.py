"""What the blocks of the cycle model remember from one cycle to the next: one record for each, with the RTL's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numba as nb
import numpy as np

from ...hw.neurons.select import QUEUE
from ...hw.output.outgoing import WORDS

Record: TypeAlias = Any
"""A record inside compiled code. Its fields are attributes there, which NumPy's type ``np.void`` does not know."""

Function = TypeVar("Function", bound=Callable)
OPTIONS: dict[str, Any] = {  # Numba's types do not know all of them
    "error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip
jit: Callable[[Function], Function] = nb.njit(**OPTIONS)
"""The decorator of every block's functions. They are compiled into the loop over them, which the cache keeps.

They allocate nothing. So they do without Numba's run-time library, which would count the references to every array of a
:class:`reprise.estimate.cycles.run_data.RunData` in each call, by atomic instructions that take four fifths of all
time. Python cannot call them: what it needs for that would take a third of the time of compiling.
"""

merged: Callable[[Function], Function] = nb.njit(**OPTIONS, inline="always")
"""The decorator of functions that only call those of the blocks: they become part of the loop before it is compiled."""

READERS = 5
FETCH, WEIGHTS, LOADS, ADDENDS, JOINS = range(READERS)
"""The readers of the bus, the one of highest priority first. The last two ask for nothing where they are not built."""

COMPUTE, REUSE = 0, 1
"""Indices of the FIFOs between front end and processor: compute rows, and then reuse rows with a FIFO for each bank."""

RING = 64
"""Length of the rings that hold times or counts of what is under way; it exceeds every latency and queue there."""

EVENTS = (
    "command", "load_busy", "read_beat", "write_beat", "rows_word", "weights_row", "neurons_item", "output_word",
    "residual_bit", "compute_row", "stall_row", "stall_lead", "stall_drain", "stall_weights", "stall_hazard",
    "stall_reuse", "reuse0", "reuse1", "detector_group", "detector_last", "tile_enter", "psum_row",
)  # fmt: skip
"""What a log says of each cycle, from its lowest bit on: events of :mod:`reprise.hw.interface.events`, and beside them
the exact matches of both banks, the groups of rows that the detector takes and whether they are their tile's last, the
tiles that enter the processor, and the rows of finished partial sums that leave it."""

(
    COMMAND_TAKEN, LOAD_BUSY, READ_BEAT, WRITE_BEAT, ROWS_WORD, WEIGHTS_ROW, NEURONS_ITEM, OUTPUT_WORD,
    RESIDUAL_BIT, COMPUTE_ROW, STALL_ROW, STALL_LEAD, STALL_DRAIN, STALL_WEIGHTS, STALL_HAZARD,
    STALL_REUSE, REUSE0, REUSE1, DETECTOR_GROUP, DETECTOR_LAST, TILE_ENTER, PSUM_ROW,
) = (1 << n for n in range(len(EVENTS)))  # fmt: skip


def record(names: str, **arrays: int) -> np.dtype:
    """Return the type of a record of integers; ``arrays`` gives the lengths of those fields that are arrays."""
    fields = [(name, np.int64) for name in names.split()]
    return np.dtype(fields + [(name, np.int64, (size,)) for name, size in arrays.items()])


CONFIG = record(
    "tile_m tile_k load_rows queries banks weight_tiles neuron_lanes bus_bits level_bits tile_beats addend_groups"
    " narrow_groups latency gap"  # of the memory
    " burst outstanding"  # longest burst, most bursts under way
    " accepted memory_depth"  # most bursts that the memory accepts ahead, and that it keeps
    " command_words feature_parts segment_parts param_words param_parts load_jobs"
    " product_cycles rows_ready rows_queue scan_queue used_rows tiles_known runs_asked"
    " word_beats ring_words"
    " begins ends detect margin queue_depth starved overlap places table_rows"
    " write_words write_bursts write_latency write_age begin finish"
    " no_im2col no_detector no_pe_array no_psum no_neurons no_weights no_loads no_memory",  # see parameters.IDEAL
    reader_depth=READERS,
)
"""Sizes and latencies, as :mod:`reprise.estimate.cycles.parameters` finds them."""

COMMAND = record(
    "opcode word beats chunks stride items wait"  # of loads; addresses and strides count bus words
    " weights weight_beats tile_depth whole_tiles keep ready hold k_tiles m_tiles rows rows_last"
    " readout no_reset planes groups timesteps channels out_width out_lines images out_planes"
    " pool pool_halo_x pool_odd_x pool_ready pool_odd_y"
    " output image_stride line_words last_width interleaved inner join int_bytes int_groups int_t int_y int_block"
    " addend addend_bytes addend_x addend_t addend_y addend_image join_planes"
)
"""A command of the program, as far as time depends on it."""

BUS = record(
    "owners owner_shown arvalid arowner arready rvalid gap_left in_ out beats_left events",
    **dict.fromkeys("left word reserved stored ready offer leaves new_beats new_word".split(), READERS),
    time=RING, beats=RING, owner=RING,
)  # fmt: skip
"""The readers, the arbiter and the memory's queue; ``ready`` says that a reader's output register is full."""

SEQUENCER = record(
    "wanted address beat valid checking0 checking1 ahead command"  # command fetch
    " checked may_write holds prepared front front_start front_used rows_start rows_ahead"  # job scheduler
    " run run_start run_busy taken_run finished"
    " load"  # the load taken in this cycle, or -1
    " events"
)

LOADER = record(
    "ask_left ask_word ask_beats ask_stride waits stored ready in_ out"
    " left beats job feature_valid feature_index segment_valid segment_index"
    " param_full param_left param_index param_valid",
    jobs=RING,
)

FRONT = record(
    "prime t_left t_row t_inner t_second t_buffer t_read"  # row table
    " g_left g_k g_count g_valid g_stored g_ready"  # scan of the segment table
    " k word segment credits left in_ out",  # row builder; im2col's queue
    full=2, rows=2, time=RING,
)  # fmt: skip

WEIGHT = record(
    "known known_in known_out"  # tiles whose used rows are known and not taken yet
    " cutting cut cut_end r_valid r_run"  # the cut of a tile's rows into runs
    " asked asked_tile whole_left stands stands_row stands_rows stands_last"  # requests
    " order_in order_out taken skid beat row o_valid o_weight_slot o_last weight_slot base"  # assembler
    " next_slot empty release events",  # weight buffer
    filled=1024, known_time=RING, order_rows=RING, order_last=RING,
)  # fmt: skip
"""The weights' way; a run of rows is its number among those of the RUN."""

SORT = record(
    "room tile beat b_valid b_last first part used t_valid t_tile"  # tile loader, with its beat and the tile it offers
    " c_valid c_class c_end c_first o_class_valid o_class o_class_last o_class_first loaded released"  # class chooser
    " v_valid v_visit v_left v_last v_first"  # word walker
    " kc_valid kc_class kc_last kc_first k_valid k_rows k_last k_first"  # skid buffers of classes and of words
    " r_valid r_rows r_last r_first frees freed"  # row memory
    " g_valid g_count g_first g_last"  # the group that the row picker offers
    " s_valid s_last"  # the word that waits for the tile loader
    " row begins_stored unread d_room begun_tiles events",
    w_valid=2, w_rows=2, w_last=2, w_first=2, level=3, waiting=3, stands=3, held=3, valid=3, popped=3, begin_time=RING,
)  # fmt: skip

PROCESSOR = record(
    "stage active active_bits active_tile steal_left finish_tile finish_row c_head entered"
    " oldest closing fresh buffer hold inside events",
    reuse=2, reuse_ok=2, r_head=2, held=2, held_tile=2, held_row=2,
    slot=2, slot_buffer=2, slot_row=2, slot_tile=2, before=2, before_buffer=2, before_row=2,
    tile=2, valid=2, tile_buffer=2, weights_ok=2, issued=2, ended=2, computes_done=2, reuse_done=2, closed=2,
    next_weights=2, next_ended=2, next_computes=2, next_reuse=2, reused=4, buffer_busy=4, full=4, full_m=4,
    wide=2,  # the last m tile in each of the lower buffers is of a wide RUN
)  # fmt: skip
"""The issue stage and the scoreboard. A row is its number in issue order, or -1 if there is none."""

DRAIN = record(
    "left open running buffer m asking again at starved second second_at third third_at"
    " begun o_valid o_last_plane o_last_position o_last events",
    drained=4,
)

NEURONS = record(
    "full last_plane last_position last group t base stages room inside_then inside q_in q_out"
    " w_buffer w_t r_buffer r_t r_group r_base ro_valid ro_group ro_last_t"
    " addends there popped",  # that wait for a group to leave; one did in the cycle before; taken in this cycle
    pipe=24, queue=QUEUE, buffer_full=2, buffer_context=2,
)  # fmt: skip

ADDEND = record(
    "asks t x y image at_t at_x at_y at_image"  # the walk over strings, and where each of its levels began
    " valid word part group before level",  # unpacker: what it holds and gives out; groups in the queue
)

OUTPUT = record(
    "pool_position pool_x pool_left pool_column pool_y pool_lines"  # where the max pool is; see hw.output.line_pool
    " skid_full skid_item e_valid e_item e_plane"  # in front of the pool; plane encoder
    " i_there i_waits i_valid i_item i_end i_left i_slot i_slots i_group"  # integer packer
    " x y image bit position_bit line t_line row_line image_line"  # line cursor, or integer cursor
    " chunks_in p_valid p_give p_twice p_last p_word p_second o_valid o_word o_last done"  # line packer
    " queued"  # words that wait in front of the write master
    " count burst finished age"  # its open burst
    " output"  # first word of the run's output
    " words words_ready b_in b_out l_in l_out awvalid sending left waiting"
    " runs answers"  # runs of which something is not answered, and the bursts that are
    " w_in w_out w_gap awready a_in a_out bvalid events"
    " j_valid j_popped"  # the stored levels that a join offers; they were taken in this cycle
    " j_asks j_held j_fresh j_last j_cut j_cut_last",  # its walk's request; its chunks before and behind their words
    read_valid=2, read_last=2, read_item=2, pool_valid=2, pool_last=2, pool_item=2,  # its stages, and those of lines
    j_busy=2, j_plane=2, j_group=2, j_t=2, j_x=2, j_lines=2, j_bit=2, j_position_bit=2,
    chunks=2, queued_word=WORDS, queued_last=WORDS,
    b_time=RING, b_length=RING, b_last=RING, l_time=RING, l_length=RING, a_time=RING,
)  # fmt: skip


@jit
def collect(
    log: Record,
    t: int,
    bus: Record,
    s: Record,
    weights: Record,
    sort: Record,
    p: Record,
    drain: Record,
    out: Record,
) -> None:
    """Write what happened in cycle ``t`` into the log, a ring of :data:`EVENTS`, and let the records forget it."""
    found = bus.events | s.events | weights.events | sort.events | p.events | drain.events | out.events
    log[t % len(log)] = found
    bus.events = s.events = weights.events = sort.events = p.events = drain.events = out.events = 0
