"""From the outbox to the bus: an event is forgotten after a broker has confirmed it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, Final

from ordinis_learn.bus.consumption import Backoff
from ordinis_learn.bus.port import Bus
from ordinis_learn.errors import BusUnavailable, StoreUnavailable
from ordinis_learn.ports import Catalogue

__all__ = ["relay_outbox"]

_LOGGER: Final = logging.getLogger(__name__)


async def relay_outbox(
    catalogue: Catalogue,
    bus: Bus,
    *,
    stop: asyncio.Event,
    drain: bool = False,
    batch_size: int = 100,
    poll_seconds: float = 1.0,
    backoff: Backoff | None = None,
) -> int:
    """Publish what waits in the outbox, oldest first, until told to stop; return how many were published.

    An event is published, confirmed by the broker, and only then marked. A relay that dies between the two leaves
    the event in the outbox: the next one publishes it again under the same ``event_id``, which a broker that
    remembers ids drops and a reader must. Two relays at once do the same. When the broker does not answer the
    rest of the batch waits, so events of one key never overtake each other.

    Parameters
    ----------
    catalogue : Catalogue
        Owns the outbox; called in a thread.
    bus : Bus
        A connected bus.
    stop : asyncio.Event
        Ends it after the event in hand.
    drain : bool
        End by itself once the outbox is empty.
    batch_size : int
        How many events are read from the outbox at once.
    poll_seconds : float
        How often an empty outbox is looked at.
    backoff : Backoff, optional
        How to wait while the broker or the database does not answer.

    Raises
    ------
    BusUnavailable, StoreUnavailable
        It stayed so for as many attempts as the backoff allows.
    """
    patience = backoff or Backoff()
    published = attempt = 0
    while not stop.is_set():
        done: list[int] = []
        try:
            waiting = await asyncio.to_thread(catalogue.pending_events, limit=batch_size)
            try:
                await _publish(bus, waiting, done=done, stop=stop)
            finally:
                await asyncio.to_thread(catalogue.mark_published, done)
                published += len(done)
        except (BusUnavailable, StoreUnavailable) as error:
            attempt = 1 if done else attempt + 1  # progress earns new patience
            if attempt == patience.attempts:
                raise
            _LOGGER.warning("the outbox waits: %s", error)
            await _pause(patience.seconds(attempt - 1, chance=0.5), stop)
            continue
        attempt = 0
        if not waiting:
            if drain:
                break
            await _pause(poll_seconds, stop)
    return published


async def _publish(bus: Bus, waiting: Any, *, done: list[int], stop: asyncio.Event) -> None:
    """Publish entries in their order, noting each one that was confirmed."""
    for entry in waiting:
        if stop.is_set():
            return
        event = entry["payload"]
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        await bus.publish(entry["topic"], body, event_id=event["event_id"], key=event["partition_key"])
        done.append(entry["id"])


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
