"""Say in one line what a record of the ledger is about: when, what, which version, from where to where, why, who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordinis_learn.errors import AuditChainBroken
from ordinis_learn.records import AuditRecord

__all__ = ["describe", "garbled"]


def describe(record: AuditRecord) -> str:
    """Return one line for people.

    A decision shows its states and its code, a refusal also the codes of the rules that did not pass; other records show
    what was found or the reason given. What a record does not say is left out.

    Raises
    ------
    AuditChainBroken
        The record holds something that such a record does not.
    """
    place = f"{record.sequence:>4}  {record.at:%Y-%m-%d %H:%M:%S}Z  {record.action:<20}"
    who = f"by {record.actor.name} ({record.actor.kind})"
    try:
        told = _told(record.body)
    except (LookupError, TypeError, AttributeError) as error:
        raise garbled(record, error) from error
    return "  ".join(part for part in (place, *told, who, record.hash[:12]) if part)


def garbled(record: AuditRecord, error: Exception) -> AuditChainBroken:
    """Return the error for a record whose body the store did not write."""
    return AuditChainBroken(
        f"read record {record.sequence} of {record.subject!r}",
        found=f"it does not say what such a record says ({type(error).__name__}: {str(error)[:200]})",
        next_step="ordinis-learn ledger verify names what was changed; then restore the database from a backup",
        subject=record.subject,
        sequence=record.sequence,
    )


def _told(body: Mapping[str, Any]) -> list[str]:
    version = body.get("version")
    told = [f"v{version}"] if version else []
    decision = body.get("decision")
    if isinstance(decision, dict):
        told.append(f"{decision['from_state']} → {decision['to_state']}")
        failed = [verdict["code"] for verdict in decision["verdicts"] if verdict["verdict"] != "pass"]
        told.append(", ".join(dict.fromkeys(code for code in [decision["code"], *failed] if code)))
        if approvers := decision.get("approvers"):
            told.append(f"approved by {', '.join(approvers)}")
    elif "to" in body:
        told.append(f"→ {body['to'] or 'flat'}")
    told.extend(str(body[key]) for key in ("reason", "found") if body.get(key))
    if identity := body.get("identity"):
        told.append(f"{identity['name']} as {', '.join(identity['roles'])}")
    return told
