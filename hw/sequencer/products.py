"""Works out the rules about products of a RUN's fields, with one multiplier, an operation per cycle.

The length of its weights is such a product too, so that whether they lie in the host's read window is found out here.
"""

from __future__ import annotations

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.hdl import ValueLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..arch.config import HardwareConfig, clog2
from ..arch.products import SUM_BITS, WEIGHT_WORDS, Factor, MultipleOf, ProductRule, Sum, product_rules
from ..arch.program import OVERLAPPING_POOL
from ..interface.commands import run_layout
from ..interface.memory import window

FIRST, TIMES, ADD, HOLD, CHECK, DIVIDE, FIT = "first", "times", "add", "hold", "check", "divide", "fit"


def operations(c: HardwareConfig) -> list[tuple[str, Factor | ProductRule | None]]:
    """Return what is done for the rules of a RUN, an operation for each cycle.

    ``first`` and ``times`` load the product, or multiply it by a factor. ``add`` adds the product to the sum. ``hold``
    puts the sum aside as the left side, and ``check`` compares it with the sum as the right side. ``divide`` is a step
    of a long division, which follows the product that it divides by. ``fit`` compares the sum, which is the bus words
    of the weights, with those that the read window has from the first of them on.
    """
    found: list[tuple[str, Factor | ProductRule | None]] = []

    def add(terms: Sum) -> None:
        for term in terms:
            found.extend((FIRST if n == 0 else TIMES, factor) for n, factor in enumerate(term))
            found.append((ADD, None))

    for rule in product_rules(c, "RUN"):
        if isinstance(rule, MultipleOf):
            found.extend((FIRST if n == 0 else TIMES, factor) for n, factor in enumerate(rule.of))
            found.extend([(DIVIDE, None)] * c.count_bits)
            found.append((DIVIDE, rule))
        else:
            add(rule.left)
            found.append((HOLD, None))
            add(rule.right)
            found.append((CHECK, rule))
    add((WEIGHT_WORDS,))
    found.append((FIT, None))
    return found


def _positions(factor: Factor, run: data.View) -> ValueLike:
    """Return the factor of a run whose pool has overlapping windows."""
    if factor.pooled == "window":
        return 1
    halo = run.pool_halo_x if factor.pooled == "x" else 0
    return (run[factor.field] << 1) + halo - run[f"pool_odd_{factor.pooled}"]


class ProductChecker(wiring.Component):
    """Evaluates :func:`reprise.hw.arch.products.product_rules` for a RUN, while the front is being prepared for it.

    All numbers have SUM_BITS bits. What has more is marked as ``over``: a left side that is over is more than any right
    side, and no right side can be over.

    Latency: ``cycles(config)`` cycles from ``start`` to ``done``, whatever the command.

    Members
    -------
    start : In(1), strobe: ``run`` holds the fields of another RUN, which stay until the next strobe
    run : In, the fields
    window : In, where the host lets the accelerator read (:func:`reprise.hw.interface.memory.window`)
    done : Out(1), all rules are worked out; it falls in the cycle after ``start``
    bad : Out(1), a rule is broken; right when ``done``
    outside : Out(1), the RUN would fetch weights that do not all lie in the window; right when ``done``
    """

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "run": In(run_layout(config)),
                "window": In(window(config)),
                "done": Out(1, init=1),
                "bad": Out(1),
                "outside": Out(1),
            }
        )

    @staticmethod
    def cycles(config: HardwareConfig) -> int:
        """Return the cycles from ``start`` to ``done``."""
        return len(operations(config)) + 2

    def elaborate(self, platform: object) -> Module:
        m = Module()
        steps = operations(self.config)
        run = self.run
        step = Signal(range(len(steps) + 1))
        working, begun = Signal(), Signal()
        factor = Signal(SUM_BITS)  # that of the operation of this cycle; it was chosen in the cycle before
        m.d.sync += begun.eq(self.start)
        with m.If(begun | working):
            self._factor(m, factor, step, steps, run)
        with m.If(begun):
            m.d.sync += [working.eq(1), step.eq(1)]
        with m.Elif(working):
            m.d.sync += step.eq(step + 1)
            self._operate(m, factor, step, steps, run)
            with m.If(step == len(steps)):
                m.d.sync += [working.eq(0), self.done.eq(1)]
        with m.If(self.start):
            m.d.sync += [self.done.eq(0), self.bad.eq(0), self.outside.eq(0), step.eq(0), working.eq(0)]
        return m

    def _factor(self, m: Module, factor: Signal, step: Signal, steps: list, run: data.View) -> None:
        """Choose the factor of the operation number ``step``, which is done in the next cycle."""
        places: dict[Factor, list[int]] = {}
        for n, (_, what) in enumerate(steps):
            if isinstance(what, Factor):
                places.setdefault(what, []).append(n)
        with m.Switch(step):
            for what, numbers in places.items():
                value: Value | int = (run[what.field] if what.field else what.number) - what.less
                if what.pooled:
                    value = Mux(run.pool == OVERLAPPING_POOL, _positions(what, run), value)
                with m.Case(*numbers):
                    m.d.sync += factor.eq(value)

    def _operate(self, m: Module, factor: Signal, step: Signal, steps: list, run: data.View) -> None:
        """Do the operation of this cycle, whose number is ``step - 1``."""
        product, sums, left = Signal(SUM_BITS), Signal(SUM_BITS), Signal(SUM_BITS)
        over_product, over_sum, over_left = Signal(), Signal(), Signal()
        rest, rows = Signal(self.config.count_bits + 1), Signal(self.config.count_bits)
        factor_bits = 17 if self.config.pool_words else 16  # overlapping windows take two positions for an output
        whole, added = Signal(SUM_BITS + factor_bits), Signal(SUM_BITS + 1)
        next_rest, less = Signal(self.config.count_bits + 2), Signal()
        m.d.comb += [
            whole.eq(product * factor[:factor_bits]),
            added.eq(sums + product),
            next_rest.eq(Cat(rows[-1], rest)),
            less.eq(next_rest < product),
        ]
        numbers: dict[str, list[int]] = {}
        for n, (name, what) in enumerate(steps):
            key = f"end of {name}" if name == DIVIDE and what else name
            numbers.setdefault(key, []).append(n + 1)
        first_division = [n for n in numbers[TIMES] + numbers[FIRST] if n + 1 in numbers[DIVIDE]]
        with m.Switch(step):
            with m.Case(*numbers[FIRST]):
                m.d.sync += [product.eq(factor), over_product.eq(0)]
            with m.Case(*numbers[TIMES]):
                m.d.sync += [product.eq(whole), over_product.eq(over_product | whole[SUM_BITS:].any())]
            with m.Case(*numbers[ADD]):
                m.d.sync += [sums.eq(added), over_sum.eq(over_sum | over_product | added[SUM_BITS])]
            with m.Case(*numbers[HOLD]):
                m.d.sync += [left.eq(sums), over_left.eq(over_sum), sums.eq(0), over_sum.eq(0)]
            with m.Case(*numbers[CHECK]):
                m.d.sync += [sums.eq(0), over_sum.eq(0)]
            with m.Case(*numbers[DIVIDE]):
                m.d.sync += [rest.eq(Mux(less, next_rest, next_rest - product)), rows.eq(rows << 1)]
            with m.Case(*numbers[f"end of {DIVIDE}"]):
                m.d.sync += self.bad.eq(self.bad | (rest != 0))
        with m.If(Cat(step == n for n in first_division).any()):
            m.d.sync += [rest.eq(0), rows.eq(run.rows)]
        differs, above = Signal(), Signal()
        m.d.comb += [differs.eq(left != sums), above.eq(left > sums)]
        with m.If(step == 1):  # a command that came before this one was worked out may have left something
            m.d.sync += [sums.eq(0), over_sum.eq(0)]
        room = self._room(m)
        for n, (name, rule) in enumerate(steps):
            if name == FIT:
                with m.If(step == n + 1):
                    m.d.sync += self.outside.eq((over_sum | (sums > room)) & ~run.weights_ready)
            if name == CHECK:
                wrong = differs if rule.equal else above
                skipped: Value | int = (run[rule.once] == 1) if rule.once else 0
                if rule.planes:
                    skipped = skipped | (run.int_bytes != 0)
                if rule.overlapping:
                    skipped = skipped | (run.pool != OVERLAPPING_POOL)
                with m.If(step == n + 1):
                    m.d.sync += self.bad.eq(self.bad | ((over_left | wrong) & ~skipped))

    def _room(self, m: Module) -> Signal:
        """Return how many bus words the window has from the first one of the weights on, long before it is asked."""
        first = self.run.weights[clog2(self.config.bus_bits // 8) :]
        room = Signal(len(self.window.last) + 1)
        held = self.window.open & (first >= self.window.first) & (first <= self.window.last)
        m.d.sync += room.eq(Mux(held, self.window.last - first + 1, 0))
        return room
