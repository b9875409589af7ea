"""Measure a piece of work beside what it is compared to, pair by pair, in one process."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Work = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    ``ours_seconds`` and ``reference_seconds`` are medians over ``runs`` pairs; ``ratio`` is the median of the pairs'
    own ratios, so that a slow minute of the machine weighs on both sides alike. ``units`` > 0 adds rates.
    """

    work: str
    reference: str
    ours_seconds: float
    reference_seconds: float
    ratio: float
    runs: int
    units: int = 0


def compare(
    work: str,
    *,
    ours: Callable[[int], Work],
    reference_name: str,
    reference: Callable[[int], Work],
    runs: int,
    units: int = 0,
) -> Row:
    """Time both sides alternately.

    ``ours`` and ``reference`` prepare run number ``i`` (not timed) and return the work to be timed. The order within a
    pair alternates, and the first pair is thrown away as warm-up.
    """
    pairs = [_pair(ours(i), reference(i), swapped=i % 2 == 1) for i in range(runs + 1)][1:]
    return Row(
        work=work,
        reference=reference_name,
        ours_seconds=statistics.median(mine for mine, _ in pairs),
        reference_seconds=statistics.median(other for _, other in pairs),
        ratio=statistics.median(mine / other for mine, other in pairs),
        runs=runs,
        units=units,
    )


def _pair(ours: Work, reference: Work, *, swapped: bool) -> tuple[float, float]:
    if swapped:
        other = _seconds(reference)
        return _seconds(ours), other
    return _seconds(ours), _seconds(reference)


def _seconds(work: Work) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
