"""What is remembered of one sealed file of events."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from ordinis_learn.records.base import Record, Sha256, UtcDatetime
from ordinis_learn.records.events import Topic

__all__ = ["Segment"]


class Segment(Record):
    """One sealed file: the events of one type, day and symbol bucket, as far as they had come.

    A file never changes. Events that come later for the same day are sealed into a file of the next
    ``generation``. ``until_position`` is the log's position up to which the day was sealed, the same for
    all buckets of one generation; ``first`` and ``last`` bound ``ts_event``; ``path`` is relative to the
    folder of sealed events. ``log_id`` is the identity of the log that it was sealed from.
    """

    log_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    event_type: Topic
    day: date
    bucket: NonNegativeInt
    buckets: PositiveInt
    generation: PositiveInt
    path: Annotated[str, Field(min_length=1)]
    rows: PositiveInt
    bytes: PositiveInt
    sha256: Sha256
    first: UtcDatetime
    last: UtcDatetime
    first_position: PositiveInt
    last_position: PositiveInt
    until_position: PositiveInt
