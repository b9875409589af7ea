"""The traces that events came in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ordinis_learn.observability.tracing import MAX_LINKS, current_ids, traceparent_of
from ordinis_learn.records import Envelope

__all__ = ["Origins", "in_current_trace", "origins_of"]


@dataclass(frozen=True, kw_only=True)
class Origins:
    """Where to go on from: ``parent`` where all events came in one trace, else ``links`` to the newest traces."""

    parent: str | None = None
    links: tuple[str, ...] = ()


def in_current_trace(event: Envelope) -> Envelope:
    """Return an event that LEARN emits with the ids of the current span, where it has none and there is one."""
    ids = current_ids()
    if ids is None or event.trace_id:
        return event
    return event.model_copy(update={"trace_id": ids[0], "span_id": ids[1]})


def origins_of(envelopes: Iterable[str]) -> Origins:
    """Read trace and span ids out of envelope texts, the oldest first.

    Ids that are not OpenTelemetry's (32 and 16 hex digits) name no trace. Of several spans of one trace the last counts.

    Examples
    --------
    >>> first = '{"trace_id": "%s", "span_id": "%s"}' % ("a" * 32, "b" * 16)
    >>> other = '{"trace_id": "%s", "span_id": "%s"}' % ("c" * 32, "d" * 16)
    >>> origins_of([first, first]).parent == f"00-{'a' * 32}-{'b' * 16}-01"
    True
    >>> len(origins_of([first, other]).links), origins_of(['{"trace_id": "", "span_id": ""}'])
    (2, Origins(parent=None, links=()))
    """
    texts = list(envelopes)
    found: dict[str, str] = {}
    known = 0
    for text in texts:
        ids = json.loads(text)
        given = traceparent_of(str(ids.get("trace_id") or ""), str(ids.get("span_id") or ""))
        if given is not None:
            known += 1
            found.pop(ids["trace_id"], None)
            found[ids["trace_id"]] = given
    traces: Sequence[str] = list(found.values())
    if len(traces) == 1 and known == len(texts):
        return Origins(parent=traces[0])
    return Origins(links=tuple(traces[-MAX_LINKS:]))
