"""The governance database's memory of sealed files of events."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ordinis_learn.records import Segment
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.models import SegmentRow

__all__ = ["SqlSegmentCatalogue"]


class SqlSegmentCatalogue:
    """Sealed files over SQLAlchemy; see :class:`ordinis_learn.ports.SegmentCatalogue` for the contract.

    Parameters
    ----------
    database : GovernanceDatabase
        Upgraded to the newest schema.
    """

    def __init__(self, database: GovernanceDatabase) -> None:
        self._database = database

    def add_segments(self, segments: Sequence[Segment]) -> None:
        """Remember one generation's files, all or none."""
        with self._database.session() as session:
            session.execute(_of(segments))
            session.add_all(_row(segment) for segment in segments)

    def drop_segments(self, segments: Sequence[Segment]) -> None:
        """Forget files of an attempt that no reader ever saw."""
        with self._database.session() as session:
            session.execute(_of(segments))

    def segments(self) -> Sequence[Segment]:
        """Return what is remembered, by type, day, generation and bucket."""
        order = (SegmentRow.event_type, SegmentRow.day, SegmentRow.generation, SegmentRow.bucket)
        with self._database.reading() as session:
            texts = session.scalars(sa.select(SegmentRow.record).order_by(*order)).all()
        return [Segment.model_validate_json(text) for text in texts]


def _of(segments: Sequence[Segment]) -> sa.Delete:
    """Return the statement that removes the rows of these files' generations."""
    generations = {(one.event_type.value, one.day, one.generation) for one in segments}
    key = sa.tuple_(SegmentRow.event_type, SegmentRow.day, SegmentRow.generation)
    return sa.delete(SegmentRow).where(key.in_(sorted(generations)))


def _row(segment: Segment) -> SegmentRow:
    return SegmentRow(
        path=segment.path,
        event_type=segment.event_type.value,
        day=segment.day,
        bucket=segment.bucket,
        generation=segment.generation,
        rows=segment.rows,
        sha256=segment.sha256,
        first=segment.first,
        last=segment.last,
        record=segment.model_dump_json(),
    )
