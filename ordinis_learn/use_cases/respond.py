"""Carry out what the response policy ordered, each order once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ordinis_learn.alerts import raise_alert
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, CoolingDown, LearnError, RolloutDenied
from ordinis_learn.records import Alert, AlertChanges, AuditRecord, LedgerNote, Response, RollbackOrder
from ordinis_learn.use_cases.alert_check import flat_sighting
from ordinis_learn.use_cases.alerting import alert_context, desk_actor
from ordinis_learn.workbench import Workbench

__all__ = ["carry_out_orders", "finish_retrain_request", "retrain_request"]

_LOGGER: Final = logging.getLogger(__name__)


def carry_out_orders(bench: Workbench, *, seconds: Callable[[], float] = time.monotonic) -> list[Response]:
    """Roll back what the policy ordered to roll back; return the orders that are done now.

    The registry rolls back in one transaction, whose ledger record names the order: killed before it, nothing has
    happened; killed after it, the next call finds the record and only notes the outcome. A request for a training waits for
    ``ordinis-learn pipeline --requested``.

    While a model cools down from an earlier rollback its next order waits: it is tried again at every call, until the cool-down
    is over or lifted, its version is active no more, or its alert is closed. Any other refusal ends an order, with the reason.

    Parameters
    ----------
    seconds : callable
        A stopwatch; what a rollback took is recorded.

    Raises
    ------
    LearnError
        The first trouble, after all orders were tried: what could not be carried out is pending still.
    """
    done: list[Response] = []
    trouble: LearnError | None = None
    for response in bench.alerts.responses(pending=True):
        if response.action != "roll_back":
            continue
        try:
            answered = _moot(bench, response) or _roll_back(bench, response, seconds=seconds)
            if answered.status == "pending":
                bench.alerts.defer(answered, _note(answered, "response.deferred"), actor=desk_actor(bench))
            elif _finish(bench, answered):
                done.append(answered)
        except LearnError as error:
            trouble = (
                trouble or error
            )  # it stays pending; one model's broken chain must not hold up the others
    if trouble is not None:
        raise trouble
    return done


def retrain_request(bench: Workbench, name: str) -> Response:
    """Return the oldest request for a training of a model; ConfigInvalid where there is none."""
    for response in bench.alerts.responses(pending=True):
        if (response.action, response.model) == ("request_retrain", name):
            return response
    raise ConfigInvalid(
        f"answer a request to train {name}",
        found="no request waits",
        next_step="leave --requested out, or see ordinis-learn alerts list --all",
    )


def finish_retrain_request(bench: Workbench, response: Response, *, version: str, run_id: str) -> None:
    """Note that a request was answered, and by which version."""
    outcome = f"trained as version {version} in run {run_id}"
    _finish(bench, response.model_copy(update=_done(bench, outcome, took=None)))


def _roll_back(bench: Workbench, response: Response, *, seconds: Callable[[], float]) -> Response:
    began = seconds()
    try:
        active = bench.registry.roll_back(
            response.model,
            reason=f"alert {response.alert_id[:12]}: {response.reason}",
            from_version=response.version,
            order=RollbackOrder.of(response),
        )
    except CoolingDown as error:
        return response.model_copy(update={"outcome": f"waits: {error.found}"})
    except (RolloutDenied, ArtifactMissing) as error:
        return response.model_copy(update=_done(bench, f"refused: {error.found}", took=None))
    took = seconds() - began
    record = _record_of(bench, response)
    if record is None:
        now = f"v{active} is" if active else "nothing is"
        outcome, took_if_any = f"nothing to do: {now} active, not v{response.version}", None
    else:
        to = record.body["to"]
        outcome, took_if_any = f"rolled back to v{to}" if to else "no last known good was fit: flat", took
    return response.model_copy(update=_done(bench, outcome, took=took_if_any))


def _moot(bench: Workbench, response: Response) -> Response | None:
    """Return an order that had to wait as done, where its alert was closed meanwhile; None where it stands."""
    if not response.outcome or bench.alerts.alert(response.alert_id).is_open:
        return None
    outcome = "nothing to do: the alert was closed while the order waited"
    return response.model_copy(update=_done(bench, outcome, took=None))


def _finish(bench: Workbench, response: Response) -> bool:
    """Note an order's outcome in book and ledger; loudly where the model is flat now."""
    context = alert_context(bench)
    note = AlertChanges(notes=(_note(response, "response.completed"),))
    flat = response.action == "roll_back" and bench.registry.active_version(response.model) is None
    sighting = flat_sighting(bench, response.model, traded=response.version) if flat else None

    def plan(standing: Sequence[Alert]) -> AlertChanges:
        return note if sighting is None else note + raise_alert(standing, sighting, context=context)

    if sighting is not None:
        _LOGGER.critical("%s", sighting.summary)
    return bench.alerts.finish(response, plan, actor=desk_actor(bench))


def _note(response: Response, action: str) -> LedgerNote:
    keys = {"response_id", "alert_id", "version", "action", "outcome", "seconds", "policy_id", "policy_hash"}
    return LedgerNote(action=action, body=response.model_dump(mode="json", include=keys))


def _record_of(bench: Workbench, response: Response) -> AuditRecord | None:
    for record in reversed(bench.ledger.history(response.model)):
        order = record.body.get("order") if record.action == "rolled_back" else None
        if order and order.get("response_id") == response.response_id:
            return record
    return None


def _done(bench: Workbench, outcome: str, *, took: float | None) -> dict[str, Any]:
    return {"status": "done", "outcome": outcome, "done_at": bench.clock(), "seconds": took}
