"""A stretch of the ledger gone through at a glance, to see that every record in it continues the one before.

It says yes only where there is no doubt, and never what is wrong: :mod:`ordinis_registry.verification` does that.
With a file, two positions and nothing but the standard library it is a program too, so that a large ledger can be gone
through by several processes, each of which takes a stretch::

    python -I _stretch.py ordinis.db 0 500000
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["DOMAIN", "GENESIS", "QUERY", "Chain", "Stretch", "go_through", "join"]

DOMAIN: Final = "ordinis.ledger.v1"
GENESIS: Final = "0" * 64
"""The ``previous_hash`` of a chain's first record."""
_DOMAIN: Final = DOMAIN.encode("ascii") + b"\x00"
# In order of writing, which is each chain's own order too: ordered by chain, every row costs a second look-up.
# Without the models' types: turning a million texts into moments costs more than hashing them.
QUERY: Final = (
    "SELECT subject, sequence, action, at, previous_hash, hash, hashed_text"
    " FROM governance_ledger WHERE position > {low} AND position <= {high} ORDER BY position"
)

Ends = dict[str, tuple[int, str]]


class Stretch(NamedTuple):
    """After which record each chain goes on in a stretch, and with which it ends there: number and hash."""

    starts: Ends
    ends: Ends


class Chain:
    """Where a chain stands while its records are read."""

    def __init__(self, subject: str, *, sequence: int = 0, newest: str = GENESIS) -> None:
        self.subject = subject
        self.sequence = sequence
        self.hash = newest
        self._end = f',"subject":{encode_basestring(str(subject))}}}'
        self._starts: dict[str, str] = {}

    def continues(self, row: Any) -> bool:
        """Tell whether a row is the chain's next record beyond doubt, without parsing its text.

        The text is canonical: the first two members are the action and the actor, whose own members are two
        strings; the last four are the ones compared. No JSON string contains a quote that is not escaped, so the first
        ``},"at":"`` ends the actor, and the ending found is that of the record itself.
        """
        _, sequence, action, at, linked, digest, text = row
        if sequence != self.sequence + 1 or linked != self.hash or not isinstance(text, str):
            return False
        start = self._starts.get(action) or self._starts.setdefault(action, _start_of(action))
        end = f',"previous_hash":"{linked}","schema_version":"1.0.0","sequence":{sequence}{self._end}'
        return (
            sha256(_DOMAIN + text.encode()).hexdigest() == digest
            and text.endswith(end)
            and text.startswith(start)
            and text.startswith(_moment_member(at), text.find('},"at":"', len(start)))
        )


def go_through(rows: Iterable[Sequence[Any]]) -> Stretch | None:
    """Return where a stretch's chains begin and end, None where any of its rows leaves a doubt.

    What a stretch begins with is taken as its first rows say; :func:`join` compares it with the stretch before.
    """
    chains: dict[str, Chain] = {}
    starts: Ends = {}
    for row in rows:
        subject = row[0]
        chain = chains.get(subject)
        if chain is None:
            before, linked = row[1], row[4]
            if not (isinstance(subject, str) and isinstance(before, int) and isinstance(linked, str)):
                return None
            starts[subject] = (before - 1, linked)
            chain = chains[subject] = Chain(subject, sequence=before - 1, newest=linked)
        if not chain.continues(row):
            return None
        chain.sequence, chain.hash = row[1], row[5]
    return Stretch(starts, {subject: (chain.sequence, chain.hash) for subject, chain in chains.items()})


def join(stretches: Iterable[Stretch | None]) -> Ends | None:
    """Return with which record each chain ends after all stretches, None where they do not hold together."""
    ends: Ends = {}
    for stretch in stretches:
        if stretch is None:
            return None
        if any(tuple(start) != ends.get(name, (0, GENESIS)) for name, start in stretch.starts.items()):
            return None
        ends.update({name: (end[0], end[1]) for name, end in stretch.ends.items()})
    return ends


def _start_of(action: Any) -> str:
    return f'{{"action":{encode_basestring(str(action))},"actor":{{'


def _moment_member(at: Any) -> str:
    """Return a stored moment as a record's text has it; SQLite hands over a text, PostgreSQL a moment."""
    if isinstance(at, str):
        fraction = "" if at.endswith(".000000") else at[19:]
        return f'}},"at":"{at[:10]}T{at[11:19]}{fraction}Z","body":'
    if not isinstance(at, datetime):
        return "\x00"  # which no text contains
    return f'}},"at":"{at.astimezone(UTC).isoformat().replace("+00:00", "Z")}","body":'


def main(path: str, low: str, high: str) -> None:
    """Go through the records of a file behind ``low`` and up to ``high``; print the stretch as JSON."""
    address = f"{Path(path).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        found = go_through(connection.execute(QUERY.format(low=int(low), high=int(high))))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
