"""Tell people outside: what waits is posted, again and again until the receiver has it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ordinis_learn.alerts import Sighting, message
from ordinis_learn.errors import AlertUndelivered
from ordinis_learn.records import Delivery
from ordinis_learn.use_cases.alerting import resolve_alerts, sight
from ordinis_learn.workbench import Workbench

__all__ = ["Delivered", "deliver_alerts"]

_LOGGER: Final = logging.getLogger(__name__)
_FIRST_PAUSE_S: Final = 30.0
_LONGEST_PAUSE_S: Final = 3600.0
_WORRYING: Final = 5


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """How many messages went out, and how many wait."""

    sent: int
    waiting: int


def deliver_alerts(bench: Workbench) -> Delivered:
    """Post every message that is due, oldest first.

    Delivery is at least once: who is killed between the post and its note posts again, with the same ``Idempotency-Key``. After
    a failure the rest of that route waits for the next time; pauses double up to an hour and nothing is given up. At the fifth
    failure of one message that is an alert of its own.
    """
    sent = 0
    broken: set[str] = set()
    for delivery in bench.alerts.deliveries(due=bench.clock()):
        if delivery.route in broken:
            continue
        try:
            _post(bench, delivery)
        except AlertUndelivered as error:
            broken.add(delivery.route)
            _put_off(bench, delivery, error)
        else:
            sent += 1
            bench.alerts.settle(
                delivery.model_copy(
                    update={"attempts": delivery.attempts + 1, "delivered_at": bench.clock(), "error": ""}
                )
            )
    if sent and not broken:
        resolve_alerts(bench, "delivery_failed", "*", why="the receiver takes alerts again")
    return Delivered(sent=sent, waiting=len(bench.alerts.deliveries(limit=10_000)))


def _post(bench: Workbench, delivery: Delivery) -> None:
    settings = bench.settings
    url = settings.learn_alert_url
    if delivery.route == "escalation" and settings.learn_alert_escalation_url is not None:
        url = settings.learn_alert_escalation_url
    if url is None:
        raise AlertUndelivered(
            "post an alert",
            found="LEARN_ALERT_URL is not set any more",
            next_step="set it: what waits is posted then",
        )
    bench.notifier(
        message(delivery, shape=settings.learn_alert_shape),
        url=url.get_secret_value(),
        idempotency_key=delivery.delivery_id,
    )


def _put_off(bench: Workbench, delivery: Delivery, error: AlertUndelivered) -> None:
    attempts = delivery.attempts + 1
    pause = min(_FIRST_PAUSE_S * 2 ** min(delivery.attempts, 16), _LONGEST_PAUSE_S)
    wait = max(pause, float(error.data.get("retry_after_s", 0.0)))
    _LOGGER.warning("alert %s waits: %s", delivery.alert_id[:12], error.found)
    bench.alerts.settle(
        delivery.model_copy(
            update={
                "attempts": attempts,
                "next_at": bench.clock() + timedelta(seconds=wait),
                "error": error.found,
            }
        )
    )
    if attempts == _WORRYING:
        sight(
            bench,
            Sighting(
                kind="delivery_failed",
                subject="*",
                severity="warning",
                summary=f"an alert could not be posted {attempts} times: {error.found}",
                source=delivery.delivery_id,
            ),
        )
