"""From what went wrong to who hears of it and what is done: incidents, response policy, escalation. Pure decisions."""

from ordinis_learn.alerts.context import Context
from ordinis_learn.alerts.drift_incidents import DriftSighting, on_drift_check
from ordinis_learn.alerts.incidents import Sighting, acknowledge, escalate, raise_alert, resolve
from ordinis_learn.alerts.messages import message
from ordinis_learn.alerts.persistence import persists
from ordinis_learn.alerts.response_policy import (
    DEFAULT_RESPONSE_POLICY,
    ResponsePolicy,
    load_response_policy,
)

__all__ = [
    "DEFAULT_RESPONSE_POLICY",
    "Context",
    "DriftSighting",
    "ResponsePolicy",
    "Sighting",
    "acknowledge",
    "escalate",
    "load_response_policy",
    "message",
    "on_drift_check",
    "persists",
    "raise_alert",
    "resolve",
]
