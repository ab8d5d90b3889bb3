"""A naive oracle of the processor's cycles, sharing no code with ``model``."""

from collections import deque


def naive_processor(tiles: list[list[tuple[int, int]]], rows: list[int], banks: int, queries: int) -> list[int]:
    """The processor's cycle model with deques: the cycle in which each tile is complete.

    tiles: per tile, (residual bits, row index) of the non-zero rows in issue order; rows: rows per tile, all of them.
    """
    residual: deque = deque()
    exact = [deque() for _ in range(banks)]
    remaining = [len(tile) for tile in tiles]
    finish: list[int] = []
    loads = [max(1, -(-count // 8)) for count in rows]
    load_done = 0  # tiles wholly loaded
    emit_tile, emit_row = 0, 0
    residual_emitted = residual_issued = 0
    cycle = 0
    while len(finish) < len(tiles):
        cycle += 1
        issued_before, oldest, taken = residual_issued, len(finish), set()
        if residual and residual[0]["tile"] <= oldest + 1:
            residual[0]["bits"] -= 1
            if residual[0]["bits"] == 0:
                row = residual.popleft()
                taken.add(row["bank"])
                remaining[row["tile"]] -= 1
                residual_issued += 1
        for bank, queue in enumerate(exact):
            if bank not in taken and queue and queue[0]["after"] <= issued_before:
                remaining[queue.popleft()["tile"]] -= 1
        done_before, was_emitting = load_done, emit_tile
        if emit_tile < done_before:
            for _ in range(queries):
                if emit_row < len(tiles[emit_tile]):
                    bits, index = tiles[emit_tile][emit_row]
                    row = {
                        "tile": emit_tile,
                        "bits": bits,
                        "bank": bin(index).count("1") % 2 if banks == 2 else index % banks,
                        "after": residual_emitted,
                    }
                    if bits:
                        residual.append(row)
                        residual_emitted += 1
                    else:
                        exact[row["bank"]].append(row)
                    emit_row += 1
            if emit_row == len(tiles[emit_tile]):
                emit_tile, emit_row = emit_tile + 1, 0
        if load_done < len(tiles) and load_done <= was_emitting + 1:
            loads[load_done] -= 1
            load_done += loads[load_done] == 0
        while len(finish) < emit_tile and remaining[len(finish)] == 0:
            finish.append(cycle)
    return finish
