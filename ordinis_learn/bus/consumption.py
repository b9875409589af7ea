"""From the bus to the log: a batch is acknowledged after it is on disk."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ordinis_learn.bus.port import Bus, Subscription
from ordinis_learn.capture.adapter import BatchRecorder
from ordinis_learn.capture.recorder import CaptureReceipt
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable

__all__ = ["Backoff", "record_from_bus"]

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait before trying again: doubled each time, up to a limit, with ±25 % of chance.

    ``attempts`` is how often a batch is tried before its error is raised; None tries until told to stop.

    Examples
    --------
    >>> backoff = Backoff(first_seconds=0.5, most_seconds=3)
    >>> [backoff.seconds(attempt, chance=0.5) for attempt in range(4)]
    [0.5, 1.0, 2.0, 3.0]
    """

    first_seconds: float = 0.2
    most_seconds: float = 30.0
    attempts: int | None = None

    def seconds(self, attempt: int, *, chance: float) -> float:
        """Return the wait after an attempt (counted from 0); ``chance`` in [0, 1) moves it within its ±25 %."""
        wait = min(self.most_seconds, self.first_seconds * 2.0 ** min(attempt, 60))
        return wait * (0.75 + 0.5 * chance)


@dataclass(kw_only=True)
class _Recording:
    """Records batches, trying again while the log cannot be written."""

    recorder: BatchRecorder
    stop: asyncio.Event
    backoff: Backoff
    rng: random.Random
    totals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    async def handle(self, bodies: Sequence[bytes]) -> None:
        attempt = 0
        while True:
            try:
                receipt = await asyncio.to_thread(
                    self.recorder.record_events, bodies, batch_size=max(1, len(bodies))
                )
            except StoreUnavailable as error:
                attempt += 1
                if self.stop.is_set() or attempt == self.backoff.attempts:
                    raise
                _LOGGER.warning("%d messages wait at the broker: %s", len(bodies), error)
                await _sleep(self.backoff.seconds(attempt - 1, chance=self.rng.random()), self.stop)
            else:
                self._count(receipt)
                return

    def _count(self, receipt: CaptureReceipt) -> None:
        if receipt.ignored:
            raise ConfigInvalid(
                "record events from the bus",
                found="LEARN_ENABLE is false, and acknowledging events that are not stored would lose them",
                next_step="export LEARN_ENABLE=true, or stop this consumer",
            )
        self.totals.update(
            accepted=receipt.accepted, duplicates=receipt.duplicates, quarantined=receipt.quarantined
        )
        self.reasons.update(receipt.reasons)


async def record_from_bus(
    bus: Bus,
    recorder: BatchRecorder,
    *,
    subscription: Subscription,
    stop: asyncio.Event,
    drain: bool = False,
    backoff: Backoff | None = None,
    rng: random.Random | None = None,
) -> CaptureReceipt:
    """Record what comes from a bus until told to stop; return what became of it.

    A batch is acknowledged once it is on disk, in the log or in quarantine. While the log cannot be written the
    batch in hand is tried again and nothing more is fetched. A killed process loses nothing: what it had not
    acknowledged comes again, and what was stored already counts as a duplicate.

    Parameters
    ----------
    bus : Bus
        A connected bus.
    recorder : BatchRecorder
        Records durably; called in a thread.
    subscription : Subscription
        What to read.
    stop : asyncio.Event
        Ends it after the batch in hand.
    drain : bool
        End by itself when nothing waits any more.
    backoff : Backoff, optional
        How to wait while the log cannot be written.
    rng : random.Random, optional
        The chance in those waits.

    Raises
    ------
    StoreUnavailable
        The log stayed unwritable; the batch was not acknowledged.
    ConfigInvalid
        Capture is switched off; nothing was acknowledged.
    """
    recording = _Recording(
        recorder=recorder,
        stop=stop,
        backoff=backoff or Backoff(),
        rng=rng or random.Random(),  # noqa: S311  spreads retries, decides nothing
    )
    await bus.consume(subscription, recording.handle, stop=stop, drain=drain)
    return CaptureReceipt(**recording.totals, reasons=dict(recording.reasons))


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    """Sleep, or less if told to stop."""
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
