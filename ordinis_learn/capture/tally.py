"""Counting events on from an earlier count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ordinis_learn.ports import Tally

__all__ = ["tallied"]

_Rows = Iterable[tuple[str | None, int, int]]


def tallied(everything: Callable[[], _Rows], newer: Callable[[int], _Rows], *, since: Tally | None) -> Tally:
    """Count all events, or only those after an earlier count where that is the same answer.

    Positions are given out in the order of commits, so what an earlier count saw is all there was up to its
    position. Rows that are sealed leave the hot table, so after that everything is counted again.

    Parameters
    ----------
    everything, newer : callable
        Rows (type, events, newest position), and one without a type whose number is that of the sealed files; ``newer``
        takes the position after which hot events count.
    since : Tally, optional
        The earlier count.
    """
    if since is not None:
        found = _read(newer(since.position))
        if found.segments == since.segments:
            counts = Counter(since.counts) + Counter(found.counts)
            return Tally(max(since.position, found.position), found.segments, dict(counts))
    return _read(everything())


def _read(rows: _Rows) -> Tally:
    counts: dict[str, int] = {}
    position = segments = 0
    for topic, number, newest in rows:
        if topic is None:
            segments = number
        else:
            counts[topic] = number
            position = max(position, newest)
    return Tally(position, segments, counts)
