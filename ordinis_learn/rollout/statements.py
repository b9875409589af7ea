"""Signed statements about a model version: in-toto Statement v1 in a DSSE envelope, as JSON text.

A statement says one thing (training, scorecard, shadow, approval) about one version, pinned by name,
version and artifact digest, and is signed by one key. What is signed is the exact payload bytes
(RFC 8785), with the payload type in front (DSSE's pre-authentication encoding).

Sources: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md and
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import Error as SigningError
from securesystemslib.signer import CryptoSigner, SSlibKey

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import (
    Approval,
    CoolDownLift,
    Identity,
    ModelArtifact,
    ModelRef,
    Record,
    Role,
    Scorecard,
    Sha256,
    ShadowReport,
    WaiverGrant,
    canonical_json,
)
from ordinis_learn.rollout.tags import StatementKind

__all__ = [
    "MAX_CHARACTERS",
    "PAYLOAD_TYPE",
    "PREDICATE_TYPES",
    "ROLES",
    "VerifiedStatement",
    "check_envelope",
    "sign",
    "verify",
]

MAX_CHARACTERS: Final = 100_000
"""The longest value of a model-version tag that MLflow stores."""

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_REMEMBERED: Final = 128
"""How many texts this process remembers having read and verified. Only what depends on nothing but the text and the
key is: whether the key is trusted, revoked or retired, and in which role, is asked anew every time."""
_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"

PREDICATE_TYPES: Final = MappingProxyType(
    {
        "training": "urn:ordinis:learn:predicate:training:v1",
        "scorecard": "urn:ordinis:learn:predicate:scorecard:v1",
        "shadow": "urn:ordinis:learn:predicate:shadow:v1",
        "approval": "urn:ordinis:learn:predicate:approval:v1",
        "waiver": "urn:ordinis:learn:predicate:waiver:v1",
        "lift": "urn:ordinis:learn:predicate:lift:v1",
    }
)

ROLES: Final = MappingProxyType(
    {
        "training": Role.TRAINER,
        "scorecard": Role.EVALUATOR,
        "shadow": Role.SHADOW_RUNNER,
        "approval": Role.APPROVER,
        "waiver": Role.APPROVER,
        "lift": Role.APPROVER,
    }
)

_RECORDS: Final[MappingProxyType[str, type[Record]]] = MappingProxyType(
    {
        "training": ModelArtifact,
        "scorecard": Scorecard,
        "shadow": ShadowReport,
        "approval": Approval,
        "waiver": WaiverGrant,
        "lift": CoolDownLift,
    }
)

_SPEAKER: Final = MappingProxyType({"approval": "approver", "waiver": "granted_by", "lift": "lifted_by"})
"""Where a record says who speaks, by kind: only they may sign it."""


@dataclass(frozen=True, kw_only=True)
class VerifiedStatement:
    """A statement whose signature, key, role and subject have been checked."""

    kind: StatementKind
    subject: ModelRef
    record: Record
    signer: Identity


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Signature(_Strict):
    keyid: str
    sig: str


class _EnvelopeShape(_Strict):
    payload: str
    payload_type: Literal["application/vnd.in-toto+json"] = Field(alias="payloadType")
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1, max_length=1)]


class _Digest(_Strict):
    sha256: Sha256


class _Subject(_Strict):
    name: Annotated[str, Field(pattern=r"^models:/([^/]+/)?[^/]+/[^/]+$")]
    digest: _Digest


class _Statement(_Strict):
    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: Annotated[tuple[_Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: str = Field(alias="predicateType")
    predicate: dict[str, Any]


def sign(kind: str, *, subject: ModelRef, predicate: Record, signer: CryptoSigner) -> str:
    """Sign one record about one model version.

    Parameters
    ----------
    kind : {"training", "scorecard", "shadow", "approval", "waiver", "lift"}
    subject : ModelRef
        The version; the record must speak of the same one.
    predicate : Record
        A ModelArtifact, Scorecard, ShadowReport, Approval, WaiverGrant or CoolDownLift, by kind.
    signer : CryptoSigner
        From :meth:`ordinis_learn.rollout.keys.KeyStore.signer`.

    Returns
    -------
    str
        The envelope as JSON text, at most :data:`MAX_CHARACTERS` long.

    Raises
    ------
    EvidenceInvalid
        The record is of another kind, about another version, cannot be read back, or is too long.
    """
    known = _known_kind(kind)
    if not isinstance(predicate, _RECORDS[known]):
        raise _invalid(f"the record is a {type(predicate).__name__}, not a {_RECORDS[known].__name__}")
    statement = {
        "_type": _STATEMENT_TYPE,
        "subject": [
            {
                "name": f"models:/{subject.name}/{subject.version}",
                "digest": {"sha256": subject.artifact_sha256},
            }
        ],
        "predicateType": PREDICATE_TYPES[known],
        "predicate": predicate.to_json(),
    }
    payload = canonical_json(statement)
    _, read_subject, read_record = _read_payload(payload)
    if read_subject != subject or read_record.canonical() != predicate.canonical():
        raise _invalid(f"the {known} record of {subject.name} {subject.version} reads back as something else")
    envelope = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures={})
    envelope.sign(signer)
    text = json.dumps(envelope.to_dict(), separators=(",", ":"), sort_keys=True)
    if len(text) > MAX_CHARACTERS:
        raise _invalid(f"{len(text)} characters, a tag holds {MAX_CHARACTERS}")
    return text


def verify(
    text: str, *, identities: Sequence[Identity], now: datetime, accepted_at: datetime | None = None
) -> VerifiedStatement:
    """Check an envelope from anywhere.

    A key that is revoked at ``now`` vouches for nothing, whenever it signed: the time inside a statement
    is only what its signer claims. One that is retired vouches for what the registry had accepted by then.

    Parameters
    ----------
    text : str
        The envelope.
    identities : Sequence[Identity]
        Every identity, revoked and retired ones too.
    now : datetime
        The moment at which the key must be trusted.
    accepted_at : datetime, optional
        When the registry recorded exactly this envelope; None for one that arrives now.

    Raises
    ------
    EvidenceInvalid
        Anything at all is wrong; ``data["revoked"]`` where it is the key's revocation.
    """
    envelope = _read_envelope(text)
    (key_id,) = envelope.signatures
    trusted = _trusted(key_id, identities=identities, now=now, seen_at=accepted_at or now)
    _check_signature(text, key_id=key_id, public_key=trusted[0].public_key, name=trusted[0].name)
    kind, subject, record = _read_payload(envelope.payload)
    signer = _in_role(trusted, kind)
    named = getattr(record, _SPEAKER.get(kind, ""), signer.name)
    if named != signer.name:
        raise _invalid(f"{signer.name} signed in the name of {named!r}")
    return VerifiedStatement(kind=kind, subject=subject, record=record, signer=signer)


def _known_kind(kind: str) -> StatementKind:
    if kind not in get_args(StatementKind):
        raise _invalid(f"kind {kind!r}, known are {', '.join(get_args(StatementKind))}")
    return cast("StatementKind", kind)


@lru_cache(_REMEMBERED)
def _read_envelope(text: str) -> Envelope:
    if len(text) > MAX_CHARACTERS:
        raise _invalid(f"{len(text)} characters, at most {MAX_CHARACTERS} are read")
    try:
        shape = _EnvelopeShape.model_validate_json(text)
        envelope = Envelope.from_dict(shape.model_dump(mode="json", by_alias=True))
    except ValidationError as error:
        raise _invalid(f"not a DSSE envelope with one signature ({_first(error)})") from error
    except (ValueError, KeyError, TypeError, SigningError) as error:
        raise _invalid(f"the envelope cannot be decoded ({error})") from error
    # One text per signature: base64 has spare bits, and two texts for one statement invite mistakes.
    if envelope.to_dict() != shape.model_dump(mode="json", by_alias=True):
        raise _invalid("the envelope is not encoded in standard base64")
    return envelope


def _trusted(
    key_id: str, *, identities: Sequence[Identity], now: datetime, seen_at: datetime
) -> list[Identity]:
    """Return the identity rows of a key; one revoked row revokes the key, two names or key bytes void it."""
    public_keys = {identity.public_key for identity in identities if identity.key_id == key_id}
    if not public_keys:
        raise _invalid(f"signed with the unknown key {key_id[:16]}…")
    rows = [identity for identity in identities if identity.public_key in public_keys]
    names = sorted({identity.name for identity in rows})
    if len(names) > 1 or len(public_keys) > 1:
        raise _invalid(f"key {key_id[:16]}… is listed more than once ({', '.join(names)})")
    if any(identity.revoked_at is not None and identity.revoked_at <= now for identity in rows):
        raise _invalid(f"the key {key_id[:16]}… of {names[0]} is revoked", revoked=names[0])
    if any(identity.retired_at is not None and identity.retired_at <= seen_at for identity in rows):
        raise _invalid(f"the key {key_id[:16]}… of {names[0]} is retired, and signs nothing new")
    valid = [identity for identity in rows if identity.trusted_since <= now]
    if not valid:
        raise _invalid(f"the key {key_id[:16]}… of {names[0]} is not trusted yet")
    return valid


@lru_cache(_REMEMBERED)
def _check_signature(text: str, *, key_id: str, public_key: str, name: str) -> None:
    check_envelope(_read_envelope(text), key_id=key_id, public_key=public_key, name=name)


def check_envelope(envelope: Envelope, *, key_id: str, public_key: str, name: str) -> None:
    """See that an envelope is signed with a key; EvidenceInvalid where it is not. ``name`` is the key's owner."""
    scheme = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public_key}}
    try:
        envelope.verify([SSlibKey.from_dict(key_id, scheme)], 1)
    except (SigningError, ValueError, KeyError, TypeError) as error:
        raise _invalid(f"the signature is not one of {name}'s key {key_id[:16]}…") from error


def _in_role(rows: Sequence[Identity], kind: StatementKind) -> Identity:
    for identity in rows:
        if ROLES[kind] in identity.roles:
            return identity
    roles = ", ".join(sorted({role.value for identity in rows for role in identity.roles}))
    raise _invalid(
        f"{rows[0].name} may sign as {roles or 'nothing'}; a {kind} statement needs {ROLES[kind].value}"
    )


@lru_cache(_REMEMBERED)
def _read_payload(payload: bytes) -> tuple[StatementKind, ModelRef, Record]:
    try:
        statement = _Statement.model_validate_json(payload)
        if canonical_json(json.loads(payload)) != payload:
            raise _invalid("the payload is not in canonical form")
    except ValidationError as error:
        raise _invalid(f"not an in-toto statement ({_first(error)})") from error
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the payload is not canonical JSON ({error})") from error
    kind = _kind_of_predicate(statement.predicate_type)
    record = _read_record(kind, statement.predicate)
    (resource,) = statement.subject
    name, _, version = resource.name.removeprefix("models:/").rpartition("/")
    subject = ModelRef(name=name, version=version, artifact_sha256=resource.digest.sha256)
    if _subject_of(record) != subject:
        raise _invalid(f"the {kind} record is about another version or other bytes than {resource.name}")
    return kind, subject, record


def _kind_of_predicate(predicate_type: str) -> StatementKind:
    for kind, known in PREDICATE_TYPES.items():
        if predicate_type == known:
            return cast("StatementKind", kind)
    raise _invalid(f"unknown predicate type {predicate_type!r}")


def _read_record(kind: StatementKind, predicate: dict[str, Any]) -> Record:
    try:
        return _RECORDS[kind].model_validate_json(json.dumps(predicate))
    except ValidationError as error:
        raise _invalid(f"the {kind} record cannot be read ({_first(error)})") from error


def _subject_of(record: Record) -> ModelRef:
    if isinstance(record, ModelArtifact):
        return ModelRef(name=record.name, version=record.version, artifact_sha256=record.artifact_sha256)
    if isinstance(record, Scorecard | ShadowReport | Approval | WaiverGrant | CoolDownLift):
        return record.subject
    raise _invalid(f"a {type(record).__name__} is not a kind of evidence")


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    place = ".".join(str(part) for part in problem["loc"]) or "text"
    return f"{place}: {problem['msg']}"


def _invalid(found: str, **data: str) -> EvidenceInvalid:
    return EvidenceInvalid(
        "read a signed statement",
        found=found,
        next_step="sign it anew with a trusted key in the right role, and submit that",
        **data,
    )
