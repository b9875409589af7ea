"""When the next drift check is due, for monitoring: an alert on it knows weekends and holidays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ordinis_learn.alerts.schedule import CLOCKS_DIFFER, DRIFT_JOB, Schedule
from ordinis_learn.ports import Clock, Sample
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import MOVED_POINTERS, HeartbeatRow, LedgerRow

__all__ = ["ScheduleSource"]


class ScheduleSource:
    """The first due time after the last drift check that came to its end; it stays while none does.

    Before the first check it is the one after something entered SHADOW or ACTIVE for the first time. A check that is dated in
    the future counts as none: a clock has jumped, and must not silence the alert.

    Parameters
    ----------
    database : GovernanceDatabase
        Where heartbeats and ledger are.
    schedule : Schedule
        When checks are due.
    clock : Clock
    """

    name = "schedule"

    def __init__(self, database: GovernanceDatabase, *, schedule: Schedule, clock: Clock) -> None:
        self._database = database
        self._schedule = schedule
        self._clock = clock

    def samples(self) -> Iterator[Sample]:
        """Yield the moment; nothing where nothing was ever in use. ConfigInvalid where no calendar says when."""
        now = self._clock()
        with self._database.reading() as session:
            beat = session.scalar(sa.select(HeartbeatRow.at).where(HeartbeatRow.job == DRIFT_JOB))
            since = beat if beat is not None and beat <= now + CLOCKS_DIFFER else _first_use(session)
        due = None if since is None else self._schedule.first_after(since, now=now)
        if due is not None:
            yield Sample("learn_drift_check_due_timestamp_seconds", {}, due.at.timestamp())


def _first_use(session: Session) -> datetime | None:
    """Return when something entered SHADOW or ACTIVE first; the texts are canonical, without blanks."""
    moved = sa.text(MOVED_POINTERS[session.get_bind().dialect.name])
    text = LedgerRow.hashed_text
    used = sa.or_(text.contains('"active":"'), text.contains('"shadow":["'))
    return session.scalar(sa.select(sa.func.min(LedgerRow.at)).where(moved, used))
