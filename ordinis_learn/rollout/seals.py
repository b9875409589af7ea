"""Seal bytes that are not about a model version, e.g. a checkpoint of the ledger.

The envelope and the rules of trust are those of :mod:`ordinis_learn.rollout.statements`, which reads a sealed
text of this kind as what it is: no statement about a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from ordinis_learn.records import Identity
from ordinis_learn.rollout.statements import PAYLOAD_TYPE, _read_envelope, _trusted, check_envelope

__all__ = ["seal", "signers_of", "unseal"]


def seal(payload: bytes, *, signer: CryptoSigner) -> dict[str, Any]:
    """Return a DSSE envelope, as JSON values, around an in-toto statement's bytes."""
    envelope = Envelope(payload=payload, payload_type=PAYLOAD_TYPE, signatures={})
    envelope.sign(signer)
    values: dict[str, Any] = envelope.to_dict()
    return values


def signers_of(
    envelope: Mapping[str, Any], *, identities: Sequence[Identity], now: datetime
) -> Sequence[Identity]:
    """Return the trusted identities of the key that an envelope names; EvidenceInvalid where none is."""
    (key_id,) = _read_envelope(json.dumps(dict(envelope))).signatures
    return _trusted(key_id, identities=identities, now=now, seen_at=now)


def unseal(envelope: Mapping[str, Any], *, signer: Identity) -> bytes:
    """Return the signed bytes; EvidenceInvalid where the signature is not one of the signer's key."""
    read = _read_envelope(json.dumps(dict(envelope)))
    check_envelope(read, key_id=signer.key_id, public_key=signer.public_key, name=signer.name)
    payload: bytes = read.payload
    return payload
