"""What reaches the detector and what it must find, by definition."""

from reprise.hw.interface.search import query_parts
from tests.hw.frontend_oracle import naive_tile


def sorted_groups(config, rows, info):
    """The sorter's output by definition, and [(index, row, slot)] in issue order."""
    order = [(index, row) for index, row, _, _ in naive_tile(rows)]
    lanes = [order[lane :: config.queries] for lane in range(config.queries)]
    copies = len(query_parts(config))
    ranked = [sorted(lane, key=lambda item: (item[1].bit_count(), -item[0])) for lane in lanes]
    groups, slots = [], []
    for n in range(max(1, -(-len(order) // config.queries))):
        pair = order[n * config.queries : (n + 1) * config.queries]
        items = []
        for lane, (index, row) in enumerate(pair):
            place = ranked[lane].index((index, row))
            item = {"row": row, "query": [row] * copies, "index": index, "entry": place, "cls": row.bit_count() - 1}
            items.append(item)
            slots.append((index, row, (lane * config.tile_m // 2 if lane else 0) + place))
        groups.append({"rows": items, "valid": (1 << len(pair)) - 1, "first": n == 0, "tile": info, "last": 0})
    groups[-1]["last"] = 1
    return groups, slots


def check_best(item, earlier, row, config, half):
    queries, fewest = config.queries, 1 if config.one_bit_matches else 2
    for bank in range(queries):
        subsets = [
            (other.bit_count(), -index, slot)
            for index, other, slot in earlier
            if other & ~row == 0 and row.bit_count() >= fewest and (queries == 1 or slot // half == bank)
        ]
        best = item["best"][bank]
        assert best["found"] == bool(subsets)
        if subsets:
            assert best["entry"] == max(subsets)[2] - bank * half
