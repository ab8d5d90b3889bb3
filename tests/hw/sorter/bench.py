"""What stands between the sorter's blocks for a tile, by definition, and the configurations of their tests."""

from reprise.hw.arch.config import HardwareConfig
from reprise.hw.sorter.layouts import ring_words, word_beats, words
from tests.hw.frontend_oracle import visits


def config_for(queries, **sizes):
    return HardwareConfig.load("tiny").replace(queries=queries, **sizes)


def loaded(config, rows, info, base):
    """The tile at ``o`` by definition, its first word at address ``base``."""
    counts = [row.bit_count() for row in rows]
    found = [[0] * words(config) for _ in range(config.tile_k)]
    for cls, word, indices in visits(config, rows):
        found[cls][word] = int(bool(indices))
    return {
        "words": [sum(here << w for w, here in enumerate(some)) for some in found],
        "classes": sum(any(some) << p for p, some in enumerate(found)),
        "upto": [sum(1 <= count <= p + 1 for count in counts) for p in range(config.tile_k)],
        "base": base,
        "count": -(-len(rows) // (config.load_rows * word_beats(config))),
        "tile": info,
    }


def bases_of(config, tile, cls):
    """By lane: one more than the place and the turn of each of the class's rows in the lane add up to."""
    low, high = tile["upto"][cls - 1] if cls else 0, tile["upto"][cls]
    found = []
    for lane in range(config.queries):
        turns = [number // config.queries for number in range(low, high) if number % config.queries == lane]
        before = len([number for number in range(low) if number % config.queries == lane])
        # The lane's rows of the class fill the places from `before` on, the first row the highest.
        found.append((before + len(turns) + turns[0] if turns else None) if high > low else 0)
    return found


def visits_of(config, rows, tile):
    """What the walker gives for a tile; a lane's base is None where no row of the class is in it."""
    found = visits(config, rows)
    for n, (cls, word, _) in enumerate(found):
        yield {
            "word": word,
            "address": (tile["base"] + word) % ring_words(config),
            "cls": cls,
            "bases": bases_of(config, tile, cls),
            "first": int(n == 0),
            "last": int(n == len(found) - 1),
            "count": tile["count"],
            "tile": tile["tile"],
        }
