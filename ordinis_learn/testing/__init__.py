"""In-memory fakes of the ports; they pass the same conformance tests as the adapters."""

from ordinis_learn.testing.event_log import InMemoryEventLog

__all__ = ["InMemoryEventLog"]
