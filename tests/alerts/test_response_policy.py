"""Response policies as files."""

from __future__ import annotations

from importlib import resources

import pytest

from ordinis_learn.alerts import load_response_policy
from ordinis_learn.errors import ConfigInvalid, PolicyMissing
from ordinis_learn.records import ModelType

PACKAGED = (resources.files("ordinis_learn.alerts") / "policies" / "response_v1.yaml").read_text()


def test_the_hash_is_of_the_content_and_differs_between_the_packaged_ones():
    one, other = load_response_policy(), load_response_policy("response_rollback_v1")
    assert one.policy_hash == load_response_policy().policy_hash != other.policy_hash
    about = {"kind": "drift", "severity": "critical", "model_type": ModelType.SIGNAL_MODEL}
    assert "roll_back" not in one.rule_for(metric="sharpe_decline", **about).do
    assert "roll_back" in other.rule_for(metric="sharpe_decline", **about).do
    assert one.rule_for(metric="psi", **about).do == ("block_promotions",)
    assert one.rule_for(metric="", **about | {"kind": "flat"}) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dead_man_hours: 26", ""),
        ("dead_man_hours: 26", "dead_man_hours: 0"),
        ("dead_man_hours: 26", "dead_man_hours: 26\nunknown: 1"),
        ("{k: 2, n: 3}", "{k: 4, n: 3}"),
        ("do: [block_promotions]", "do: [sell_everything]"),
        ("do: [block_promotions]", "do: [roll_back, roll_back]"),
        ("kind: [drift]", "kind: [rain]"),
        ("cool_down_hours: 72", "cool_down_hours: 99999"),
        ("policy_id: response_own", "policy_id: response_other"),
        ("rules:", "rules: ["),
    ],
)
def test_a_file_that_does_not_say_what_it_must_is_refused(tmp_path, before, after):
    text = PACKAGED.replace("policy_id: response_v1", "policy_id: response_own")
    assert before in text
    (tmp_path / "response_own.yaml").write_text(text)
    assert load_response_policy("response_own", folder=tmp_path).policy_id == "response_own"
    (tmp_path / "response_own.yaml").write_text(text.replace(before, after))
    with pytest.raises(ConfigInvalid):
        load_response_policy("response_own", folder=tmp_path)


@pytest.mark.parametrize("name", ["response_none", "../response", "gov_v1", ""])
def test_a_policy_that_is_not_there(tmp_path, name):
    with pytest.raises(PolicyMissing):
        load_response_policy(name, folder=tmp_path)


def test_a_file_cannot_stand_in_for_a_packaged_one(tmp_path):
    (tmp_path / "response_v1.yaml").write_text(PACKAGED)
    with pytest.raises(ConfigInvalid, match="another id"):
        load_response_policy(folder=tmp_path)
