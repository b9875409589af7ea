"""The words of an alert for people, and the JSON that is posted about it."""

from __future__ import annotations

from typing import Any, Literal

from ordinis_learn.records import Delivery

__all__ = ["message"]


def message(delivery: Delivery, *, shape: Literal["json", "slack"]) -> dict[str, Any]:
    """Return what is posted: the whole alert, or one text as chat programs of Slack's shape take it."""
    if shape == "json":
        return {"delivery_id": delivery.delivery_id, "route": delivery.route, **delivery.payload}
    alert = delivery.payload["alert"]
    head = f"[{alert['severity']}] {alert['subject']} {alert['kind']} {delivery.payload['what']}"
    lines = [
        head,
        str(delivery.payload["said"]),
        f"alert {alert['alert_id'][:12]}, runbook {alert['runbook']}",
    ]
    return {"text": "\n".join(lines)}
