"""A shadow that runs as events arrive: what comes from the bus is recorded, then scored, then acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ordinis_learn.capture import CaptureReceipt, Event
from ordinis_learn.capture.adapter import BatchRecorder
from ordinis_learn.errors import ShadowSetAside
from ordinis_learn.shadow.runner import ShadowRunner

__all__ = ["ScoringRecorder"]

_BATCH: Final = 1000


class ScoringRecorder:
    """A recorder that lets a shadow catch up with the log after each batch.

    The bus hands over at least once; the log keeps an event once, and the shadow goes by its position in the log. So a batch that
    comes again is recorded and scored once. The recorder is the bus's, the runner never sees it.

    Parameters
    ----------
    recorder : BatchRecorder
        Makes events durable.
    runner : ShadowRunner
        Reads the log that the recorder writes to.
    set_aside : callable
        Told where a model was silent too often; what comes is recorded all the same, and the next batch goes on.
    """

    def __init__(
        self, recorder: BatchRecorder, runner: ShadowRunner, *, set_aside: Callable[[ShadowSetAside], None]
    ) -> None:
        self._recorder = recorder
        self._runner = runner
        self._set_aside = set_aside

    def record_events(self, events: Iterable[Event], *, batch_size: int = _BATCH) -> CaptureReceipt:
        """Record a batch, then score what the log holds; on disk when this returns."""
        receipt = self._recorder.record_events(events, batch_size=batch_size)
        try:
            for _ in self._runner.catch_up():
                pass
        except ShadowSetAside as error:
            self._set_aside(error)
        return receipt
