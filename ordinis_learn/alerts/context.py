"""What every decision about an alert needs besides the alert: the policy, the moment, who acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ordinis_learn.alerts.response_policy import ResponsePolicy
from ordinis_learn.records import Alert, AlertFact, AlertKind, Delivery, hash_of

__all__ = ["Context"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The policy in force, the moment, and the name under which it is acted.

    Attributes
    ----------
    policy : ResponsePolicy
    now : datetime
        Aware.
    by : str
        Who acts: the monitor's or a person's name.
    runbook_url : str
        Where ``docs/operations.md`` can be read; a link to the alert's section is made from it.
    is_told : bool
        Whether somebody outside is told: an address is set.
    """

    policy: ResponsePolicy
    now: datetime
    by: str
    runbook_url: str = "docs/operations.md"
    is_told: bool = False

    def runbook(self, kind: AlertKind) -> str:
        """Return the link to the section on a kind of alert.

        Examples
        --------
        >>> from datetime import UTC
        >>> from ordinis_learn.alerts.response_policy import load_response_policy
        >>> here = Context(policy=load_response_policy(), now=datetime(2026, 1, 2, tzinfo=UTC), by="monitor")
        >>> here.runbook("no_signals")
        'docs/operations.md#no_signals'
        """
        return f"{self.runbook_url}#{kind}"

    def fact(self, alert: Alert, what: str, *, source: str, said: str = "", nth: int = 0) -> AlertFact:
        """Return a fact about an alert; the same alert, kind, source and number make the same fact.

        ``nth`` is for what one source may bring about several times: two sources that take turns are each counted again.
        """
        return AlertFact.model_validate(
            {
                "fact_id": fact_id(alert.alert_id, what, f"{source} #{nth}" if nth else source),
                "alert_id": alert.alert_id,
                "subject": alert.subject,
                "what": what,
                "source": source,
                "at": self.now,
                "by": self.by,
                "said": said or alert.summary,
            }
        )

    def deliveries(self, alert: Alert, fact: AlertFact) -> tuple[Delivery, ...]:
        """Return the message that tells a fact: none where nobody is told."""
        if not self.is_told:
            return ()
        route = "escalation" if fact.what == "escalated" else "default"
        return (
            Delivery(
                delivery_id=hash_of({"fact": fact.fact_id, "route": route}, domain="ordinis.delivery.v1"),
                alert_id=alert.alert_id,
                route=route,
                payload={"what": fact.what, "said": fact.said, "alert": alert.to_json()},
                created_at=self.now,
                next_at=self.now,
            ),
        )


def fact_id(alert_id: str, what: str, source: str) -> str:
    """Return the identity of a fact."""
    return hash_of({"alert": alert_id, "what": what, "source": source}, domain="ordinis.alert.fact.v1")
