"""A policy that a team begins with is one that loads, and asks what it was told to ask."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid, PolicyMissing
from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout.policy import WITHOUT_PACKS, governs, load_policy
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.settings import load_settings
from ordinis_learn.use_cases.new_policy import Bound, begin_policy


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def begin(settings, policy_id="team_v1", **changes):
    given = {"names": ["fraud_*"], "bound": Bound(metric="val_auc", at_least=0.8), "approvals": 1} | changes
    return begin_policy(policy_id, settings=settings, **given)[1]


def asked(policy, *, first_model, to_state=State.ACTIVE, model_type=ModelType.SIGNAL_MODEL):
    specs = policy.specs(model_type, to_state=to_state, first_model=first_model)
    return {
        spec.rule: {key: value for key, value in spec.params.items() if value is not None} for spec in specs
    }


def test_more_is_better(settings):
    policy = begin(settings, bound=Bound(metric="val_auc", at_least=0.8, better_by=0.01), approvals=2)
    assert governs(policy, "Fraud_score")
    assert not governs(policy, "churn")
    assert asked(policy, first_model=True)["run_metric"] == {
        "name": "val_auc",
        "at_least": 0.8,
        "over": "absolute",
    }
    assert asked(policy, first_model=False)["run_metric"] == {
        "name": "val_auc",
        "at_least": 0.01,
        "over": "incumbent",
    }
    assert asked(policy, first_model=False)["approvals"]["count"] == 2
    assert policy.packs == ()


def test_less_is_better(settings):
    policy = begin(settings, bound=Bound(metric="loss", at_most=0.7, better_by=0.02))
    assert asked(policy, first_model=True)["run_metric"] == {
        "name": "loss",
        "at_most": 0.7,
        "over": "absolute",
    }
    assert asked(policy, first_model=False)["run_metric"]["at_most"] == -0.02


def test_without_a_metric_people_decide(settings):
    policy = begin(settings, bound=None)
    assert set(asked(policy, first_model=True)) == {"artifact_intact", "evidence_verified", "approvals"}
    assert load_policy("team_v1", settings=settings) == policy


@pytest.mark.parametrize("model_type", ModelType)
def test_its_rules_are_for_models_of_any_type(settings, model_type):
    policy = begin(settings)
    assert asked(policy, first_model=True, model_type=model_type)
    assert set(asked(policy, first_model=True, to_state=State.SHADOW, model_type=model_type)) == {
        "artifact_intact",
        "evidence_verified",
    }


def test_rules_of_a_type_go_before_those_of_any(settings):
    begin(settings)
    path = settings.home / "policies" / "team_v1.yaml"
    own = path.read_text().replace("team_v1", "team_v2").replace("  any:\n", "  prompt_pack:\n", 1)
    (path.parent / "team_v2.yaml").write_text(own)
    policy = load_policy("team_v2", settings=settings)
    assert asked(policy, first_model=True, model_type=ModelType.PROMPT_PACK)
    assert not asked(policy, first_model=True, model_type=ModelType.SIGNAL_MODEL)


@pytest.mark.parametrize("rule", sorted(set(RULES) - WITHOUT_PACKS))
def test_what_reads_scorecards_needs_a_pack(settings, rule):
    packaged = [load_policy(one, settings=settings) for one in ("gov_v1", "gov_v2", "gov_v3")]
    specs = [
        spec
        for one in packaged
        for of_type in one.rules.values()
        for move in (of_type.shadow, of_type.active)
        for spec in (*move.default, *move.first_model)
        if spec.rule == rule
    ]
    params = specs[0].params if specs else {"names": ["recall_at_5"], "alpha": 0.05}
    begin(settings)
    path = settings.home / "policies" / "team_v1.yaml"
    line = "      first_model: *intact\n"
    assert line in path.read_text()
    rules = json.dumps(["artifact_intact", "evidence_verified", {rule: params}])  # JSON is YAML
    path.write_text(path.read_text().replace(line, f"      first_model: {rules}\n"))
    with pytest.raises(ConfigInvalid, match=f"{rule} of any read scorecards"):
        load_policy("team_v1", settings=settings)
    path.write_text(path.read_text().replace("rules:\n", "packs: [mine]\nrules:\n", 1))
    assert load_policy("team_v1", settings=settings).packs == ("mine",)


def test_one_that_is_there_is_not_written_over(settings):
    begin(settings)
    before = (settings.home / "policies" / "team_v1.yaml").read_bytes()
    with pytest.raises(ConfigInvalid, match="is there already"):
        begin(settings, approvals=3)
    assert (settings.home / "policies" / "team_v1.yaml").read_bytes() == before


BAD = {
    "no bound": {"bound": Bound(metric="val_auc")},
    "both bounds": {"bound": Bound(metric="val_auc", at_least=0.1, at_most=0.2)},
    "a metric of no such name": {"bound": Bound(metric='a"b', at_least=0.1)},
    "a bound that is no number": {"bound": Bound(metric="val_auc", at_least=float("nan"))},
    "a pattern read in two ways": {"names": ["fraud_[a"]},
    "no approval": {"approvals": 0},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_what_would_be_no_policy_is_not_written(settings, changes):
    with pytest.raises(ConfigInvalid):
        begin(settings, **changes)
    assert not (settings.home / "policies").exists()


@pytest.mark.parametrize("policy_id", ["../team", "Team", "", "a/b"])
def test_its_id_is_a_file_name(settings, policy_id):
    with pytest.raises(PolicyMissing):
        begin(settings, policy_id)


def test_a_packaged_id_is_taken(settings):
    with pytest.raises(ConfigInvalid, match="policy of the package"):
        begin(settings, "gov_v1")


def test_by_the_command(tmp_path):
    command = ["--home", str(tmp_path), "policy", "new", "team_v1", "--names", "fraud_*"]
    bounded = CliRunner().invoke(main, [*command, "--at-least", "0.8"])
    assert bounded.exit_code == 2
    made = CliRunner().invoke(main, [*command, "--metric", "val_auc", "--at-least", "0.8"])
    assert made.exit_code == 0, made.output
    assert "ordinis-learn policy adopt team_v1" in made.output
    shown = CliRunner().invoke(main, ["--home", str(tmp_path), "policy", "show", "team_v1"])
    assert "any to active, first_model:" in shown.output
    assert "val_auc at least 0.8" in shown.output
