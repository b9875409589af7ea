"""Spans over the loop, by OpenTelemetry's interface alone.

Nothing is recorded unless somebody has set up a tracer provider: the application that this package is used in, or
:func:`ordinis_learn.observability.exporting.export_traces` where the standard ``OTEL_*`` variables ask for it. Until then a
span is a look at one attribute.

Spans carry ids, hashes, counts and codes; never a payload, a feature or a price.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
)

from ordinis_learn.errors import LearnError

__all__ = [
    "MAX_LINKS",
    "Attributes",
    "current_ids",
    "is_on",
    "recorded_by",
    "span",
    "traceparent",
    "traceparent_of",
]

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

MAX_LINKS: Final = 128
"""How many links a span carries, as many as OpenTelemetry's own limit."""

_SCOPE: Final = "ordinis_learn"
_W3C: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}", re.ASCII)


_SILENT: Final = (ProxyTracerProvider, NoOpTracerProvider)
_PROVIDER: Final[ContextVar[TracerProvider | None]] = ContextVar("ordinis_tracer_provider", default=None)


def is_on() -> bool:
    """Tell whether anybody has set up a tracer provider."""
    return not isinstance(_provider(), _SILENT)


@contextmanager
def recorded_by(provider: TracerProvider) -> Iterator[None]:
    """Let a provider other than the process's own record the spans inside: an application may have several."""
    token = _PROVIDER.set(provider)
    try:
        yield
    finally:
        _PROVIDER.reset(token)


def _provider() -> TracerProvider:
    return _PROVIDER.get() or trace.get_tracer_provider()


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    links: Sequence[str] = (),
    attributes: Attributes | None = None,
) -> Iterator[Span]:
    """Record what is done inside; a LearnError ends the span with its code.

    Parameters
    ----------
    name : str
        What is done, e.g. ``learn.train``.
    parent : str, optional
        A ``traceparent`` to go on from. The span that is current then becomes a link where it is of another trace.
        By default the span belongs to the current one.
    links : sequence of str
        More of them, at most :data:`MAX_LINKS` counted; those that cannot be read are left out.
    attributes : mapping, optional
        Ids, hashes, counts.
    """
    if not is_on():
        yield trace.INVALID_SPAN
        return
    given = _context(parent)
    linked = [context for text in links if (context := _context(text)) is not None]
    current = trace.get_current_span().get_span_context()
    if given is not None and current.is_valid and current.trace_id != given.trace_id:
        linked.append(current)
    within = None if given is None else trace.set_span_in_context(NonRecordingSpan(given))
    with (
        _provider()
        .get_tracer(_SCOPE)
        .start_as_current_span(
            name,
            context=within,
            links=[Link(context) for context in linked[-MAX_LINKS:]],
            attributes=attributes,
            set_status_on_exception=False,
            record_exception=False,  # a message may quote what was refused; the code says enough
        ) as opened
    ):
        try:
            yield opened
        except LearnError as error:
            opened.set_attribute("error.type", error.code)
            opened.set_status(Status(StatusCode.ERROR, error.code))
            raise
        except Exception as error:
            opened.set_attribute("error.type", type(error).__name__)
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def traceparent() -> str | None:
    """Return the current span as W3C ``traceparent``; None where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def traceparent_of(trace_id: str, span_id: str) -> str | None:
    """Return the ids of an envelope as ``traceparent``; None where they are not OpenTelemetry's.

    Examples
    --------
    >>> traceparent_of("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    >>> traceparent_of("req-17", "") is None
    True
    """
    if not (_TRACE_ID.fullmatch(trace_id) and _SPAN_ID.fullmatch(span_id)):
        return None
    text = f"00-{trace_id}-{span_id}-01"
    return None if _context(text) is None else text


def current_ids() -> tuple[str, str] | None:
    """Return trace id and span id of the current span as hex, for an envelope; None where there is none."""
    context = trace.get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


def _context(text: str | None) -> SpanContext | None:
    """Read a ``traceparent``; None where it is none, or all zeros, which the standard forbids."""
    found = _W3C.fullmatch(text or "")
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None
