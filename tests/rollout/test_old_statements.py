"""A scorecard that was signed before scorecards had statistics still verifies, byte for byte."""

import json
from pathlib import Path

from ordinis_learn.records import Identity, Scorecard
from ordinis_learn.rollout import verify

OLD = json.loads((Path(__file__).parent / "data" / "scorecard_signed_by_0_1_0.json").read_text())


def test_a_scorecard_of_the_first_release_keeps_its_bytes_and_its_signature(make):
    identity = Identity.model_validate_json(json.dumps(OLD["identity"]))
    statement = verify(OLD["envelope"], identities=[identity], now=make.now)
    assert isinstance(statement.record, Scorecard)
    assert statement.record.content_hash() == OLD["content_hash"] == make.scorecard().content_hash()
    assert "statistics" not in statement.record.to_json()
