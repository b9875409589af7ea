"""Which event log a setting means."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.capture._sqlite import SqliteEventLog
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.ports import Clock, SealableLog

__all__ = ["open_event_log"]


def open_event_log(url: str | None, *, path: Path, sealed: Path, clock: Clock) -> SealableLog:
    """Open the log of ``LEARN_EVENTS_URL``: a PostgreSQL database, or the SQLite file where it is not set.

    Parameters
    ----------
    url : str or None
        ``postgresql://…``.
    path : Path
        The SQLite file.
    sealed : Path
        The folder of sealed files.
    clock : Clock
        Says when a quarantined event was seen.

    Raises
    ------
    ConfigInvalid
        The address is of another kind, or the driver of PostgreSQL is not installed.
    StoreUnavailable
        The file or server cannot be used.
    """
    if url is None:
        return SqliteEventLog(path, clock=clock, sealed=sealed)
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigInvalid(
            "open the event log of LEARN_EVENTS_URL",
            found=f"an address that begins with {url.split(':', maxsplit=1)[0]!r}",
            next_step="set LEARN_EVENTS_URL=postgresql://user@host:5432/database, or unset it for the SQLite file",
        )
    try:
        from ordinis_learn.capture._postgres import PostgresEventLog  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise ConfigInvalid(
            "open the event log in PostgreSQL",
            found=str(error),
            next_step="pip install 'ordinis-learn[postgres]'",
        ) from error
    return PostgresEventLog(url, clock=clock, sealed=sealed)
