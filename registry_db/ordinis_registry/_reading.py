"""Read a record of the ledger that somebody may have garbled: what cannot be read is named, and closes what needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ordinis_learn.errors import AuditChainBroken

__all__ = ["UNREADABLE", "legible"]

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What reading a text meets that the store did not write: no JSON, or JSON of another shape."""


@contextmanager
def legible(subject: str, sequence: int | None = None) -> Iterator[None]:
    """Read inside; what was not written by the store is :class:`AuditChainBroken` with its place.

    Parameters
    ----------
    subject : str
        The chain.
    sequence : int, optional
        The record's number, where it is known.
    """
    try:
        yield
    except UNREADABLE as error:
        place = f"record {sequence} of {subject!r}" if sequence is not None else f"a record of {subject!r}"
        raise AuditChainBroken(
            f"read {place}",
            found=f"it does not say what such a record says ({type(error).__name__}: {str(error)[:200]})",
            next_step="ordinis-learn ledger verify names what was changed; then restore the database from a backup",
            subject=subject,
            sequence=sequence,
        ) from error
