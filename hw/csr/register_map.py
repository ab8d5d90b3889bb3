"""The register map.

It is generated from ``hw/csr/registers.rdl`` by ``python -m reprise.hw.csr.generate``; do not edit it here.
"""

OFFSETS = {
    "ID": 0x000,
    "VERSION": 0x004,
    "CONFIG_HASH": 0x008,
    "BUS": 0x00C,
    "CONTROL": 0x010,
    "STATUS": 0x014,
    "IRQ_ENABLE": 0x018,
    "IRQ_STATUS": 0x01C,
    "PROGRAM_LO": 0x020,
    "PROGRAM_HI": 0x024,
    "WATCHDOG": 0x028,
    "CYCLES_LO": 0x040,
    "CYCLES_HI": 0x044,
    "COMMANDS": 0x048,
    "RUNS": 0x04C,
    "RUN_BUSY": 0x050,
    "LOAD_BUSY": 0x054,
    "READ_BEATS": 0x058,
    "WRITE_BEATS": 0x05C,
    "ROWS_BUSY": 0x060,
    "ROWS_WORDS": 0x064,
    "ROWS_WAIT": 0x068,
    "WEIGHTS_BUSY": 0x06C,
    "WEIGHT_ROWS": 0x070,
    "WEIGHTS_WAIT": 0x074,
    "NEURON_ITEMS": 0x078,
    "NEURON_WAIT": 0x07C,
    "OUTPUT_WAIT": 0x080,
    "CORE_BUSY": 0x084,
    "RESIDUAL_BITS": 0x088,
    "COMPUTE_ROWS": 0x08C,
    "REUSE_ROWS": 0x090,
    "STALL_ROW": 0x094,
    "STALL_LEAD": 0x098,
    "STALL_DRAIN": 0x09C,
    "STALL_WEIGHTS": 0x0A0,
    "STALL_HAZARD": 0x0A4,
    "STALL_REUSE": 0x0A8,
    "WAIT_PREFIX": 0x0AC,
    "WAIT_OUTPUT": 0x0B0,
    "READ_BASE_LO": 0x0C0,
    "READ_BASE_HI": 0x0C4,
    "READ_SIZE_LO": 0x0C8,
    "READ_SIZE_HI": 0x0CC,
    "WRITE_BASE_LO": 0x0D0,
    "WRITE_BASE_HI": 0x0D4,
    "WRITE_SIZE_LO": 0x0D8,
    "WRITE_SIZE_HI": 0x0DC,
}
"""Byte offset of every register."""

FIELDS = {
    "ID": {
        "value": (0, 32, "r", 0x53525052),
    },
    "VERSION": {
        "minor": (0, 16, "r", 0),
        "major": (16, 16, "r", 2),
    },
    "CONFIG_HASH": {
        "value": (0, 32, "r", 0),
    },
    "BUS": {
        "word_bytes": (0, 16, "r", 0),
    },
    "CONTROL": {
        "start": (0, 1, "w1", 0),
        "stop": (1, 1, "w1", 0),
        "snapshot": (2, 1, "w1", 0),
    },
    "STATUS": {
        "busy": (0, 1, "r", 0),
        "done": (1, 1, "r", 0),
        "refused": (2, 1, "r", 0),
        "bus_hung": (3, 1, "r", 0),
        "error": (8, 8, "r", 0),
        "command": (16, 16, "r", 0),
    },
    "IRQ_ENABLE": {
        "done": (0, 1, "rw", 0),
    },
    "IRQ_STATUS": {
        "done": (0, 1, "w1c", 0),
    },
    "PROGRAM_LO": {
        "value": (0, 32, "rw", 0),
    },
    "PROGRAM_HI": {
        "value": (0, 8, "rw", 0),
    },
    "WATCHDOG": {
        "value": (0, 32, "rw", 0x100000),
    },
    "CYCLES_LO": {
        "value": (0, 32, "r", 0),
    },
    "CYCLES_HI": {
        "value": (0, 32, "r", 0),
    },
    "COMMANDS": {
        "value": (0, 32, "r", 0),
    },
    "RUNS": {
        "value": (0, 32, "r", 0),
    },
    "RUN_BUSY": {
        "value": (0, 32, "r", 0),
    },
    "LOAD_BUSY": {
        "value": (0, 32, "r", 0),
    },
    "READ_BEATS": {
        "value": (0, 32, "r", 0),
    },
    "WRITE_BEATS": {
        "value": (0, 32, "r", 0),
    },
    "ROWS_BUSY": {
        "value": (0, 32, "r", 0),
    },
    "ROWS_WORDS": {
        "value": (0, 32, "r", 0),
    },
    "ROWS_WAIT": {
        "value": (0, 32, "r", 0),
    },
    "WEIGHTS_BUSY": {
        "value": (0, 32, "r", 0),
    },
    "WEIGHT_ROWS": {
        "value": (0, 32, "r", 0),
    },
    "WEIGHTS_WAIT": {
        "value": (0, 32, "r", 0),
    },
    "NEURON_ITEMS": {
        "value": (0, 32, "r", 0),
    },
    "NEURON_WAIT": {
        "value": (0, 32, "r", 0),
    },
    "OUTPUT_WAIT": {
        "value": (0, 32, "r", 0),
    },
    "CORE_BUSY": {
        "value": (0, 32, "r", 0),
    },
    "RESIDUAL_BITS": {
        "value": (0, 32, "r", 0),
    },
    "COMPUTE_ROWS": {
        "value": (0, 32, "r", 0),
    },
    "REUSE_ROWS": {
        "value": (0, 32, "r", 0),
    },
    "STALL_ROW": {
        "value": (0, 32, "r", 0),
    },
    "STALL_LEAD": {
        "value": (0, 32, "r", 0),
    },
    "STALL_DRAIN": {
        "value": (0, 32, "r", 0),
    },
    "STALL_WEIGHTS": {
        "value": (0, 32, "r", 0),
    },
    "STALL_HAZARD": {
        "value": (0, 32, "r", 0),
    },
    "STALL_REUSE": {
        "value": (0, 32, "r", 0),
    },
    "WAIT_PREFIX": {
        "value": (0, 32, "r", 0),
    },
    "WAIT_OUTPUT": {
        "value": (0, 32, "r", 0),
    },
    "READ_BASE_LO": {
        "value": (0, 32, "rw", 0),
    },
    "READ_BASE_HI": {
        "value": (0, 8, "rw", 0),
    },
    "READ_SIZE_LO": {
        "value": (0, 32, "rw", 0),
    },
    "READ_SIZE_HI": {
        "value": (0, 9, "rw", 0),
    },
    "WRITE_BASE_LO": {
        "value": (0, 32, "rw", 0),
    },
    "WRITE_BASE_HI": {
        "value": (0, 8, "rw", 0),
    },
    "WRITE_SIZE_LO": {
        "value": (0, 32, "rw", 0),
    },
    "WRITE_SIZE_HI": {
        "value": (0, 9, "rw", 0),
    },
}
"""Fields of every register: lowest bit, bits, access as in docs/registers.md, value after reset."""

COUNTERS = {
    "COMMANDS": "command",
    "RUNS": "run_start",
    "RUN_BUSY": "run_busy",
    "LOAD_BUSY": "load_busy",
    "READ_BEATS": "read_beat",
    "WRITE_BEATS": "write_beat",
    "ROWS_BUSY": "rows_busy",
    "ROWS_WORDS": "rows_word",
    "ROWS_WAIT": "rows_wait",
    "WEIGHTS_BUSY": "weights_busy",
    "WEIGHT_ROWS": "weights_row",
    "WEIGHTS_WAIT": "weights_wait",
    "NEURON_ITEMS": "neurons_item",
    "NEURON_WAIT": "neurons_wait",
    "OUTPUT_WAIT": "output_wait",
    "CORE_BUSY": "busy",
    "RESIDUAL_BITS": "residual_bit",
    "COMPUTE_ROWS": "compute_row",
    "REUSE_ROWS": "reuse_rows",
    "STALL_ROW": "stall_row",
    "STALL_LEAD": "stall_lead",
    "STALL_DRAIN": "stall_drain",
    "STALL_WEIGHTS": "stall_weights",
    "STALL_HAZARD": "stall_hazard",
    "STALL_REUSE": "stall_reuse",
    "WAIT_PREFIX": "wait_prefix",
    "WAIT_OUTPUT": "wait_output",
}
"""The event that each counter register counts (``reprise.hw.interface.events``)."""
