"""A scorecard that was signed before scorecards had statistics still verifies, byte for byte."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordinis_learn.errors import EvidenceInvalid
from ordinis_learn.records import Identity
from ordinis_learn.rollout.statements import verify

OLD = json.loads((Path(__file__).parent / "data" / "scorecard_signed_by_0_1_0.json").read_text())


def verified(text):
    identity = Identity.model_validate(OLD["identity"])
    return verify(text, identities=[identity], now=datetime(2023, 1, 2, tzinfo=UTC))


def test_the_old_card_verifies_and_hashes_as_it_did():
    card = verified(OLD["envelope"]).record
    assert card.statistics is None
    assert card.content_hash() == OLD["content_hash"]
    assert "statistics" not in card.to_json()


def test_a_changed_old_card_does_not():
    envelope = json.loads(OLD["envelope"])
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["predicate"]["deflated_sharpe"] = 0.99
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    with pytest.raises(EvidenceInvalid):
        verified(json.dumps(envelope))
