"""Events of an older shape: each is turned into one envelope, or kept whole in quarantine.

An adapter is a pure function from one foreign event to one envelope. Here are the table of adapters and the
recorder that puts one in front of an :class:`~ordinis_learn.capture.EventRecorder`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from pydantic_core import to_json

from ordinis_learn.capture.adapter_legacy import LegacyFeed, adapt
from ordinis_learn.capture.recorder import CaptureReceipt
from ordinis_learn.capture.validation import Event, validate_event
from ordinis_learn.errors import ConfigInvalid, EventInvalid
from ordinis_learn.ports import EventLog

__all__ = ["ADAPTERS", "Adapt", "AdaptingRecorder", "BatchRecorder", "adapter"]

Adapt = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Turn one foreign event into an envelope of JSON values; raise EventInvalid where that would be a guess."""

ADAPTERS: Final = ("ordinis-legacy",)


class BatchRecorder(Protocol):
    """What records a batch durably: a recorder, or one with an adapter before it."""

    def record_events(self, events: Iterable[Event], *, batch_size: int = 1000) -> CaptureReceipt:
        """Store what is good, quarantine what is not; on disk when this returns."""
        ...


def adapter(name: str, *, feed: LegacyFeed) -> Adapt:
    """Return an adapter by its name.

    Raises
    ------
    ConfigInvalid
        There is none of that name.
    """
    if name not in ADAPTERS:
        raise ConfigInvalid(
            f"find the adapter {name!r}",
            found="no adapter has this name",
            next_step=f"use one of {', '.join(ADAPTERS)}",
        )
    return lambda raw: adapt(raw, feed=feed)


class AdaptingRecorder:
    """Records foreign events. What cannot be adapted is quarantined as it came, not as it was understood.

    Parameters
    ----------
    recorder : BatchRecorder
        Takes the envelopes.
    log : EventLog
        The recorder's own log, for the quarantine.
    adapt : Adapt
        The adapter.
    enabled : bool
        ``LEARN_ENABLE``. When False nothing is read, stored or quarantined.
    """

    def __init__(self, recorder: BatchRecorder, log: EventLog, *, adapt: Adapt, enabled: bool = True) -> None:
        self._recorder = recorder
        self._log = log
        self._adapt = adapt
        self._enabled = enabled

    def record_events(self, events: Iterable[Event], *, batch_size: int = 1000) -> CaptureReceipt:
        """Adapt and store many events; see :meth:`ordinis_learn.capture.EventRecorder.record_events`."""
        if not self._enabled:
            return CaptureReceipt(ignored=sum(1 for _ in events))
        reasons: Counter[str] = Counter()

        def adapted() -> Iterable[Event]:
            for event in events:
                try:
                    envelope = self._adapt(read_event(event))
                    validate_event(envelope)
                except EventInvalid as error:
                    self._log.quarantine(_bytes(event), code=error.code, reason=str(error))
                    reasons[error.code] += 1
                else:
                    yield envelope

        receipt = self._recorder.record_events(adapted(), batch_size=batch_size)
        return receipt.model_copy(
            update={
                "quarantined": receipt.quarantined + reasons.total(),
                "reasons": dict(reasons + Counter(receipt.reasons)),
            }
        )


def read_event(event: Event) -> Mapping[str, Any]:
    """Read one JSON object. A name that occurs twice, or a NaN, is refused: one of the values would be lost.

    Examples
    --------
    >>> read_event(b'{"price": 1.5}')
    {'price': 1.5}
    >>> read_event('{"price": 1.5, "price": 2.5}')
    Traceback (most recent call last):
        ...
    ordinis_learn.errors.EventInvalid: E_EVT_SCHEMA_INVALID: adapt an event: the field 'price' occurs twice. \
Next: send one JSON object in UTF-8
    """
    if isinstance(event, Mapping):
        return event
    try:
        value = json.loads(event, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _not_json(str(error)) from error
    if not isinstance(value, dict):
        raise _not_json(f"a value of type {type(value).__name__}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the field {twice!r} occurs twice")
    return values


def _refuse(name: str) -> None:
    raise ValueError(f"it holds {name}, which JSON has no word for")


def _not_json(found: str) -> EventInvalid:
    return EventInvalid("adapt an event", found=found, next_step="send one JSON object in UTF-8", field="")


def _bytes(event: Event) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode("utf-8", "surrogatepass")
    try:
        return to_json(dict(event), inf_nan_mode="constants")
    except ValueError:
        return repr(event).encode("utf-8", "backslashreplace")
