"""The governed channel: signed statements that arrive as tags of a version."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import Approval, Record, Scorecard, ShadowReport, WaiverGrant
from ordinis_learn.rollout.evidence import check_statement, text_sha256
from ordinis_learn.rollout.statements import VerifiedStatement
from ordinis_mlflow._change import Change
from ordinis_registry.acceptance import accepted_statements, submissions
from ordinis_registry.identities import known_identities

__all__ = ["accept_statement"]


def accept_statement(change: Change, version: str, *, key: str, text: str, stored_sha256: str | None) -> None:
    """Store a statement that verifies, and record who said what.

    Raises
    ------
    EvidenceInvalid
        It does not verify, is about something else, or is older than what it would replace: an approval
        that its author has withdrawn since cannot be played back.
    """
    subject = change.reference(version, stored_sha256=stored_sha256)
    identities = known_identities(change.session)

    accepted = accepted_statements(change.session, change.name, identities=identities)

    def check(candidate: str, *, accepted_at: datetime | None = None) -> VerifiedStatement:
        return check_statement(
            key, candidate, subject=subject, identities=identities, now=change.at, accepted_at=accepted_at
        )

    statement = check(text)
    _refuse_played_back(change, version, key=key, text=text, statement=statement)
    replaced = change.tags(version).get(key)
    if replaced is not None:
        try:
            before = check(replaced, accepted_at=accepted.get(text_sha256(replaced)))
        except EvidenceInvalid:
            before = None  # its key was revoked since: there is nothing to protect
        if before is not None:
            _refuse_older(statement, before=before, key=key)
            _refuse_other_window(statement.record, before=before.record, key=key)
    change.tag(version, key, text)
    change.record(_action(statement.record), _body(version, key, text, statement))


def _refuse_played_back(
    change: Change, version: str, *, key: str, text: str, statement: VerifiedStatement
) -> None:
    """Ask the ledger too: a refusal that somebody took out of the tags is still known there."""
    earlier = submissions(change.session, change.name, version).get(key, ())
    if not earlier or earlier[-1]["envelope_sha256"] == text_sha256(text):
        return
    known = {body["envelope_sha256"] for body in earlier}
    last = (earlier[-1].get("approval") or {}).get("given_at") or (earlier[-1].get("waiver") or {}).get(
        "granted_at"
    )
    said = _said_at(statement.record)
    older = last is not None and said is not None and said < datetime.fromisoformat(last)
    if text_sha256(text) in known or older:
        raise EvidenceInvalid(
            f"attach a statement under {key!r}",
            found="it is older than the one that was accepted last",
            next_step="make a new statement: what was replaced does not come back",
        )


def _refuse_older(statement: VerifiedStatement, *, before: VerifiedStatement, key: str) -> None:
    new, old = _said_at(statement.record), _said_at(before.record)
    if new is None or old is None or new >= old:
        return
    raise EvidenceInvalid(
        f"attach a statement under {key!r}",
        found=f"it is of {new.isoformat()}, the one there is of {old.isoformat()}",
        next_step="make a new statement: an older one does not replace a newer one",
    )


def _refuse_other_window(new: Record, *, before: Record, key: str) -> None:
    """Let a shadow report only go on: an interval that is valid at any time is not valid for any window."""
    if not isinstance(new, ShadowReport) or not isinstance(before, ShadowReport):
        return
    goes_on = new.start == before.start and new.end >= before.end
    if goes_on or (new.active != before.active and new.start >= before.start):
        return
    raise EvidenceInvalid(
        f"attach a shadow report under {key!r}",
        found=f"sessions {new.start.date()} to {new.end.date()}, where {before.start.date()} to "
        f"{before.end.date()} was reported before",
        next_step=f"run the shadow from {before.start.date()} to {before.end.date()} or later",
    )


def _said_at(record: Record) -> datetime | None:
    if isinstance(record, Approval):
        return record.given_at
    if isinstance(record, WaiverGrant):
        return record.granted_at
    if isinstance(record, Scorecard | ShadowReport):
        return record.created_at
    try:
        moment = datetime.fromisoformat(str(getattr(record, "created_at", "")))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _action(record: Record) -> str:
    if isinstance(record, WaiverGrant):
        return "waiver.granted"
    if not isinstance(record, Approval):
        return "evidence.submitted"
    return "approval.given" if record.answer == "approve" else "approval.refused"


def _body(version: str, key: str, text: str, statement: VerifiedStatement) -> dict[str, Any]:
    record = statement.record
    body: dict[str, Any] = {
        "version": version,
        "key": key,
        "kind": statement.kind,
        "signer": statement.signer.name,
        "key_id": statement.signer.key_id,
        "envelope_sha256": text_sha256(text),
        "record_hash": record.content_hash(),
    }
    if isinstance(record, Approval):
        body["approval"] = record.to_json()
    if isinstance(record, WaiverGrant):
        body["waiver"] = record.to_json()
    return body
