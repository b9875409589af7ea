"""What has to happen every day without a person: drift, shadow, orders, messages, and a look at whether it did."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Final

from ordinis_learn.alerts.schedule import DRIFT_JOB
from ordinis_learn.bus import Backoff, Bus, relay_outbox
from ordinis_learn.errors import LearnError, StoreUnavailable
from ordinis_learn.records import Heartbeat
from ordinis_learn.use_cases.alert_check import see_dead_man, see_flat_models, see_unknown_models
from ordinis_learn.use_cases.alerting import drift_schedule, escalate_alerts
from ordinis_learn.use_cases.deliver import deliver_alerts
from ordinis_learn.use_cases.drift_daily import run_daily_drift
from ordinis_learn.use_cases.respond import carry_out_orders
from ordinis_learn.use_cases.shadow_daily import run_daily_shadows
from ordinis_learn.use_cases.stopping import Stopping
from ordinis_learn.workbench import Workbench

__all__ = ["WATCH_JOB", "Duty", "WatchReport", "due_session", "only_watch", "watch", "watch_once"]

WATCH_JOB: Final = "watch"
_LOGGER: Final = logging.getLogger(__name__)
_TRY_AGAIN: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Duty:
    """One thing to do in a pass; its failure is told and the next is done all the same."""

    name: str
    work: Callable[[Workbench], str]


@dataclass(frozen=True, kw_only=True)
class WatchReport:
    """What a pass did, one line per duty, and which failed."""

    lines: tuple[str, ...]
    failed: tuple[str, ...]


def watch_once(
    bench: Workbench,
    *,
    open_bus: Callable[[str], Bus],
    daily: bool = True,
    stop: Stopping | None = None,
) -> WatchReport:
    """Make one pass. Every duty is exactly once by its own means, so a pass may be killed anywhere and made again.

    Parameters
    ----------
    open_bus : callable
        From an address to a bus; entering it connects.
    daily : bool
        Whether the market's daily work is done, too; without it only what is looked at every minute.
    stop : Stopping, optional
        Once it is set the duty in hand is finished and the others are left to the next pass.
    """
    duties = [*(_daily_duties() if daily else ()), *_constant_duties(open_bus)]
    lines: list[str] = []
    failed: list[str] = []
    for number, duty in enumerate(duties):
        if stop is not None and stop.is_set():
            lines.append(f"stopped before {', '.join(left.name for left in duties[number:])}")
            break
        try:
            said = duty.work(bench)
        except (LearnError, OSError) as error:
            _LOGGER.error("%s: %s", duty.name, error)  # noqa: TRY400  the message has the three parts
            failed.append(duty.name)
            said = str(error)
        except Exception as error:
            _LOGGER.exception("%s", duty.name)
            failed.append(duty.name)
            said = f"{type(error).__name__}: {error}"
        lines.append(f"{duty.name}: {said}")
    _beat(bench, failed)
    return WatchReport(lines=tuple(lines), failed=tuple(failed))


def watch(
    bench: Workbench,
    *,
    open_bus: Callable[[str], Bus],
    stop: Stopping,
    tell: Callable[[str], None],
) -> int:
    """Make passes until told to stop; return how many.

    The daily work is done once for each session, ``LEARN_WATCH_DELAY_MINUTES`` after its close; the rest at every poll. Only
    the clock that is passed in, the calendar and the heartbeat say whether it is time: after a jump of the clock, or a
    restart, it is asked anew, and what was done is not done again.
    """
    passes = 0
    while not stop.is_set():
        try:
            session = due_session(bench)
            report = watch_once(bench, open_bus=open_bus, daily=session is not None, stop=stop)
        except StoreUnavailable as error:
            tell(
                str(error)
            )  # the database is locked or full: nothing could be noted, and the next pass asks again
        else:
            for line in report.lines if session is not None or report.failed or stop.is_set() else ():
                tell(line)
        passes += 1
        stop.wait(bench.settings.learn_watch_poll_s)
    return passes


def due_session(bench: Workbench) -> date | None:
    """Return the newest session whose daily work is due: closed long enough ago, and no drift run ended after that.

    A run in which a check failed is made again after an hour.
    """
    now = bench.clock()
    due = drift_schedule(bench.settings).newest(now=now)
    if due is None:
        return None
    beat = bench.alerts.beats().get(DRIFT_JOB)
    if beat is None or not due.at <= beat.at <= now:
        return due.session
    return None if beat.ok_at == beat.at or now - beat.at < _TRY_AGAIN else due.session


@contextmanager
def only_watch(home: Path) -> Iterator[None]:
    """Be the only watch of a home on this machine; the lock goes with the process, however it ends.

    Raises
    ------
    StoreUnavailable
        Another one is at work; the message has its process id.
    """
    path = home / "data" / "watch.lock"
    asked = f"watch over {home}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreUnavailable(asked, found=str(error), next_step="make the home writable") from error
    with handle:
        _take(handle, asked=asked)
        yield


def _take(handle: IO[str], *, asked: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        raise StoreUnavailable(
            asked,
            found=f"process {holder} does it already",
            next_step="let it work, or end it and type this again",
        ) from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()


def _daily_duties() -> list[Duty]:
    return [Duty(name="shadow", work=_shadow), Duty(name="drift", work=_drift)]


def _constant_duties(open_bus: Callable[[str], Bus]) -> list[Duty]:
    return [
        Duty(name="orders", work=_orders),
        Duty(name="dead-man's switch", work=see_dead_man),
        Duty(name="flat models", work=_flat),
        Duty(name="unknown models", work=lambda bench: ", ".join(see_unknown_models(bench)) or "none"),
        Duty(name="escalations", work=lambda bench: f"{len(escalate_alerts(bench))} alerts escalated"),
        Duty(name="messages", work=_messages),
        Duty(name="outbox", work=lambda bench: _relay(bench, open_bus)),
    ]


def _shadow(bench: Workbench) -> str:
    return "; ".join(run_daily_shadows(bench)) or "nothing is in shadow"


def _drift(bench: Workbench) -> str:
    done = run_daily_drift(bench)
    told = [f"{check.model} v{check.version} {check.session or ''} {check.said}" for check in done]
    return "; ".join(told) or "nothing is active or in shadow"


def _orders(bench: Workbench) -> str:
    told = [f"{one.action} of {one.model}: {one.outcome}" for one in carry_out_orders(bench)]
    told += [
        f"{one.action} of {one.model} v{one.version} {one.outcome or 'waits: ordinis-learn pipeline --requested'}"
        for one in bench.alerts.responses(pending=True)
        if one.action != "block_promotions"
    ]
    return "; ".join(told) or "none to carry out"


def _flat(bench: Workbench) -> str:
    return ", ".join(see_flat_models(bench)) or "none"


def _messages(bench: Workbench) -> str:
    delivered = deliver_alerts(bench)
    return f"{delivered.sent} sent, {delivered.waiting} wait"


def _relay(bench: Workbench, open_bus: Callable[[str], Bus]) -> str:
    """Publish what waits; a bus in memory reaches nobody, so the outbox is left as it is."""
    url = bench.settings.learn_bus_url
    if url.startswith("memory://"):
        return f"{len(bench.catalogue.pending_events())} events wait: no broker is set (LEARN_BUS_URL)"

    async def connected() -> int:
        async with open_bus(url) as bus:
            return await relay_outbox(
                bench.catalogue, bus, stop=asyncio.Event(), drain=True, backoff=Backoff(attempts=2)
            )

    return f"{asyncio.run(connected())} events published"


def _beat(bench: Workbench, failed: list[str]) -> None:
    now = bench.clock()
    said = f"failed: {', '.join(failed)}" if failed else "all done"
    before = bench.alerts.beats().get(WATCH_JOB)
    ok_at = now if not failed else (before.ok_at if before else None)
    bench.alerts.beat(Heartbeat(job=WATCH_JOB, at=now, ok_at=ok_at, said=said))
