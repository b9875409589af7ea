"""A bound on how many values a label takes."""

from __future__ import annotations

from typing import Final

__all__ = ["OTHER", "Vocabulary"]

OTHER: Final = "other"
"""What stands for every value beyond the bound."""


class Vocabulary:
    """The first values of a label, as they come; all later ones are one.

    A monitoring server keeps a series for every combination of label values and pays for each, so a label that
    grows with the business (models, packs, metrics) needs an end. Values that are known stay known: what is asked for
    in the order in which it was stored gets the same answer in every process.

    Parameters
    ----------
    limit : int
        How many values are told apart.

    Examples
    --------
    >>> known = Vocabulary(limit=2)
    >>> [known.word(name) for name in ("a", "b", "c", "a", "d")]
    ['a', 'b', 'other', 'a', 'other']
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._words: set[str] = set()

    def word(self, value: str) -> str:
        """Return the value, or :data:`OTHER` where there is no room for it."""
        if value in self._words:
            return value
        if len(self._words) >= self._limit:
            return OTHER
        self._words.add(value)
        return value
