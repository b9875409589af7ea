"""What the policy orders because of an alert. Ordering is not doing: an order is carried out once, later."""

from __future__ import annotations

from ordinis_learn.alerts.context import Context
from ordinis_learn.records import (
    Alert,
    AlertChanges,
    LedgerNote,
    ModelType,
    Response,
    ResponseAction,
    hash_of,
)

__all__ = ["order"]


def order(alert: Alert, *, context: Context, model_type: ModelType | None) -> AlertChanges:
    """Return the orders of the first rule that matches, with a ledger record each.

    An alert orders the same action once, however often it comes again: the order has the same id then, and the book that has
    it keeps it and appends no second record. Blocking is done by the order itself: promotions are
    refused while the alert is open.
    """
    rule = context.policy.rule_for(
        kind=alert.kind, severity=alert.severity, metric=alert.metric, model_type=model_type
    )
    if rule is None or alert.subject == "*":
        return AlertChanges()
    wanted = [action for action in rule.do if action != "block_promotions" or not alert.blocks]
    ordered = tuple(_response(alert, action, rule=rule.name, context=context) for action in wanted)
    notes = tuple(
        LedgerNote(action="response.ordered", body=_told(one), order=one.response_id) for one in ordered
    )
    return AlertChanges(responses=ordered, notes=notes)


def _response(alert: Alert, action: ResponseAction, *, rule: str, context: Context) -> Response:
    blocked = action == "block_promotions"
    return Response(
        response_id=hash_of({"alert": alert.alert_id, "action": action}, domain="ordinis.response.v1"),
        alert_id=alert.alert_id,
        model=alert.subject,
        version=alert.version,
        action=action,
        reason=alert.summary,
        rule=rule,
        policy_id=context.policy.policy_id,
        policy_hash=context.policy.policy_hash,
        cool_down_hours=context.policy.cool_down_hours if action == "roll_back" else 0.0,
        status="done" if blocked else "pending",
        requested_at=context.now,
        outcome="promotions are refused while the alert is open" if blocked else "",
        done_at=context.now if blocked else None,
    )


def _told(response: Response) -> dict[str, object]:
    keys = {"response_id", "alert_id", "version", "action", "reason", "rule", "policy_id", "policy_hash"}
    return response.model_dump(mode="json", include=keys)
