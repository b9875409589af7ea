"""Envelopes of simulated events: the same seed and content key give the same event, byte for byte."""

from __future__ import annotations

import hashlib
import struct
import uuid
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from ordinis_learn.records import SCHEMA_VERSION, Topic

__all__ = ["Scribe", "close_of"]

_NAMESPACE: Final = uuid.UUID("6f4de3a2-54c0-5b0e-9d57-3b6b6b1f0c11")
_NEW_YORK: Final = "America/New_York"
_CLOSE: Final = time(16)


def close_of(session: date) -> str:
    """Return the moment a New York session ends, in UTC; early closes are not known here.

    Examples
    --------
    >>> close_of(date(2020, 1, 2)), close_of(date(2020, 7, 1))
    ('2020-01-02T21:00:00Z', '2020-07-01T20:00:00Z')
    """
    moment = datetime.combine(session, _CLOSE, tzinfo=ZoneInfo(_NEW_YORK))
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Scribe:
    """Writes the events of one simulated session after another.

    Parameters
    ----------
    seed : int
        Two scribes with different seeds share no event id.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._namespace = uuid.uuid5(_NAMESPACE, f"seed {seed}")
        self._session = ""
        self._moment = ""
        self._cycle = ""

    @property
    def moment(self) -> str:
        """The close of the open session."""
        return self._moment

    def open_session(self, session: date) -> None:
        """Date what follows at the close of a session, under a correlation id of its own."""
        self._session = session.isoformat()
        self._moment = close_of(session)
        self._cycle = str(uuid.uuid5(self._namespace, f"cycle/{self._session}"))

    def identity(self, topic: Topic, key: str) -> str:
        """Return the id of the event of this topic and key in the open session."""
        return str(uuid.uuid5(self._namespace, f"{topic.value}/{self._session}/{key}"))

    def event(
        self,
        topic: Topic,
        payload: dict[str, Any],
        *,
        key: str,
        partition_key: str,
        instrument_type: str = "equity",
    ) -> dict[str, Any]:
        """Return an event; ``key`` tells it from others of its topic and session."""
        return {
            "event_id": self.identity(topic, key),
            "event_type": topic.value,
            "schema_version": SCHEMA_VERSION,
            "ts_event": self._moment,
            "ts_ingest": self._moment,
            "source": "desk.replay",
            "correlation_id": self._cycle,
            "partition_key": partition_key,
            "payload": payload,
            "tags": {"instrument_type": instrument_type, "venue": "sim", "jurisdiction": "US", "env": "dev"},
        }

    def chances(self, key: str) -> tuple[float, float, float, float]:
        """Return four numbers in [0, 1) that depend on seed and key alone, not on what was drawn before."""
        digest = hashlib.blake2b(f"{self._seed}/{key}".encode(), digest_size=32).digest()
        first, second, third, fourth = struct.unpack("<4Q", digest)
        return first / 2**64, second / 2**64, third / 2**64, fourth / 2**64
