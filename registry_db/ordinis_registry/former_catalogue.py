"""The catalogue that a home kept in its own file before its registry's database held it: noticed, carried over, or left for good."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock
from ordinis_learn.records import Actor
from ordinis_registry import ledger
from ordinis_registry.carrying import carry_over, rows_of
from ordinis_registry.database import GovernanceDatabase

__all__ = ["LEFT", "FormerCatalogue"]

LEFT = "catalogue.left"


class FormerCatalogue:
    """A home's own file, beside a registry that is elsewhere.

    What was decided about it is a record on the registry's ledger, and a note beside the file, so that it is not read at each start.

    Parameters
    ----------
    file : Path
        ``registry_db/ordinis.db`` of the home.
    url : str
        The registry's database.
    clock : Clock
    """

    def __init__(self, file: Path, *, url: str, clock: Clock) -> None:
        self._file = file
        self._url = url
        self._clock = clock
        self._note = file.with_name("carried-over.json")

    @property
    def place(self) -> str:
        """The registry's database without user and password."""
        parsed = sa.make_url(self._url)
        return str(parsed.set(username=None, password=None).render_as_string())

    def waiting(self) -> dict[str, int]:
        """Return the rows, by table, about which nothing was decided yet; empty where the file is the registry's database."""
        if self._is_the_registry() or self._decided():
            return {}
        return rows_of(self._file)

    def must_be_decided(self) -> None:
        """Raise ConfigInvalid while rows wait: a desk that goes on without them would train and check as if it had no past."""
        rows = self.waiting()
        if rows:
            told = ", ".join(f"{count} in {table}" for table, count in rows.items())
            raise ConfigInvalid(
                f"open the catalogue in {self.place}",
                found=f"this home's own {self._file} has a catalogue from before, which is not there: {told}",
                next_step="ordinis-learn carry-over copies what belongs to this registry; "
                "ordinis-learn carry-over --leave goes on without it",
            )

    def carry(self, *, actor: Actor) -> dict[str, dict[str, int]]:
        """Copy it into the registry's database; return what came of each table."""
        if self._is_the_registry() or not rows_of(self._file):
            return {}
        database = GovernanceDatabase(self._url)
        try:
            database.upgrade()
            told = carry_over(self._file, database, actor=actor, at=self._clock())
        finally:
            database.close()
        self._write_note("carried")
        return told

    def leave(self, *, actor: Actor, reason: str) -> None:
        """Record that this home goes on without it; the file stays as it is."""
        database = GovernanceDatabase(self._url)
        try:
            database.upgrade()
            with database.session() as session:
                body = {"from": str(self._file.resolve()), "reason": reason, "rows": rows_of(self._file)}
                ledger.append(
                    session,
                    subject=ledger.EVERYTHING,
                    action=LEFT,
                    actor=actor,
                    at=self._clock(),
                    body=body,
                )
        finally:
            database.close()
        self._write_note("left")

    def _is_the_registry(self) -> bool:
        parsed = sa.make_url(self._url)
        in_file = parsed.get_backend_name() == "sqlite"
        return in_file and Path(parsed.database or "").resolve() == self._file.resolve()

    def _decided(self) -> bool:
        try:
            return self.place in json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False

    def _write_note(self, how: str) -> None:
        try:
            known = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        known[self.place] = {"how": how, "at": self._clock().isoformat()}
        self._note.write_text(json.dumps(known, indent=2), encoding="utf-8")
