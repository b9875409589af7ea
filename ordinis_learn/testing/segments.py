"""A catalogue of sealed files in memory."""

from __future__ import annotations

from collections.abc import Sequence

from ordinis_learn.records import Segment

__all__ = ["InMemorySegmentCatalogue"]


class InMemorySegmentCatalogue:
    """The contract of :class:`~ordinis_learn.ports.SegmentCatalogue` without its durability."""

    def __init__(self) -> None:
        self._segments: dict[str, Segment] = {}

    def add_segments(self, segments: Sequence[Segment]) -> None:
        """Remember one generation's files in place of what was said of it before."""
        self.drop_segments(segments)
        self._segments |= {one.path: one for one in segments}

    def drop_segments(self, segments: Sequence[Segment]) -> None:
        """Forget every file of these files' generations."""
        gone = {(one.event_type, one.day, one.generation) for one in segments}
        self._segments = {
            path: one
            for path, one in self._segments.items()
            if (one.event_type, one.day, one.generation) not in gone
        }

    def segments(self) -> Sequence[Segment]:
        """Return what is remembered, by type, day, generation and bucket."""
        return sorted(
            self._segments.values(), key=lambda one: (one.event_type, one.day, one.generation, one.bucket)
        )
