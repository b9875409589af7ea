"""In-memory fakes of the ports; they pass the same conformance tests as the adapters. And a calendar for tests."""

from ordinis_learn.testing.calendar import daily_calendar
from ordinis_learn.testing.event_log import InMemoryEventLog
from ordinis_learn.testing.in_process_model import InProcessModel
from ordinis_learn.testing.segments import InMemorySegmentCatalogue
from ordinis_learn.testing.staged_model import StagedModel
from ordinis_learn.testing.tracker import InMemoryTracker

__all__ = [
    "InMemoryEventLog",
    "InMemorySegmentCatalogue",
    "InMemoryTracker",
    "InProcessModel",
    "StagedModel",
    "daily_calendar",
]
