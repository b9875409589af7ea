"""The schema that editors check a policy by agrees with the loader."""

from __future__ import annotations

import copy
from importlib import resources

import jsonschema
import pytest
import yaml

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.rollout import load_policy
from ordinis_learn.use_cases.policies import describe_policy
from ordinis_learn.use_cases.schemas import json_schemas

PACKAGED = resources.files("ordinis_learn.rollout") / "policies" / "gov_v2.yaml"


@pytest.fixture(scope="module")
def schema():
    return json_schemas()["Policy"]


@pytest.fixture
def document():
    return yaml.safe_load(PACKAGED.read_text(encoding="utf-8")) | {"policy_id": "own"}


def test_the_default_policy_is_valid_by_its_schema(schema, document):
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)


def spoiled():
    """The default policy, wrong in one place each."""
    active = ("rules", "signal_model", "active", "default")
    yield "unknown rule", (*active, 0), "artifact_intakt"
    yield "unknown parameter", (*active, 4), {"scorecards_fresh": {"max_age_dayz": 3}}
    yield "a text for a number", (*active, 4), {"scorecards_fresh": {"max_age_days": "3"}}
    yield "out of bounds", (*active, 4), {"scorecards_fresh": {"max_age_days": 0}}
    yield "unknown setting", (*active, 6), {"delta_sharpe": {"at_least": {"setting": "home"}}}
    yield "unknown field", ("surprise",), 1
    yield "no rules", ("rules",), {}
    yield "waivers for ever", ("waivers",), {"max_days": 10_000, "break_glass_hours": 1}


@pytest.mark.parametrize("number", range(8))
def test_what_the_schema_refuses_the_loader_refuses(schema, document, settings, tmp_path, number):
    _, path, value = list(spoiled())[number]
    wrong = copy.deepcopy(document)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(ConfigInvalid):
        load_policy("own", settings=settings, folder=tmp_path)


def test_the_same_rule_twice_is_about_two_metrics(document, settings, tmp_path):
    rules = document["rules"]["signal_model"]["active"]["default"]
    rules += [
        {"run_metric": {"name": "auc", "at_least": 0.6}},
        {"run_metric": {"name": "loss", "at_most": 1}},
    ]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(document))
    shown = describe_policy(load_policy("own", settings=settings, folder=tmp_path))
    assert "run_metric:auc: auc at least 0.6" in shown
    assert "run_metric:loss: loss at most 1" in shown
    rules.append({"run_metric": {"name": "auc", "at_least": 0.7}})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigInvalid, match="named twice: run_metric:auc"):
        load_policy("own", settings=settings, folder=tmp_path)


def test_a_changed_setting_is_the_same_source_and_another_policy(settings):
    policy = load_policy(settings=settings)
    other = load_policy(settings=settings.model_copy(update={"learn_gate_delta_sharpe": 0.2}))
    assert policy.source_sha256 == other.source_sha256
    assert policy.policy_hash != other.policy_hash
