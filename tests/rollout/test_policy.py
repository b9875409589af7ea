import copy
import hashlib
import itertools
from importlib import resources

import pytest
import yaml

from ordinis_learn.errors import ConfigInvalid, PolicyMissing
from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout import governs, load_policy
from ordinis_learn.rollout.policy import DEFAULT_POLICY, RuleSpec, packaged_policies
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.settings import load_settings

PACKAGED = resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml"

PACKAGED_AS = {
    "gov_v1": (
        "4e87846abec6fb645d7c300cc387b67e4c928857c4c0d4f9a9d9c836e36b7461",
        "3533100641e23024b55c8a0f4205c56a6e4177cf837063aaee7b501b3ccf2441",
    ),
    "gov_v2": (
        "f1ab2bbef5f1b421e39220ff52a24f81fbfa80ac7f8f00db5ec2db817f8a623b",
        "76a63d1681012ed80b0d08f90f7649eb5c56b6df51c2206e1e77ea84751e6d09",
    ),
    "gov_v3": (
        "22f818450ee6366f35ddf89f2a8864245dc053145124c1cec90611b2362b6427",
        "20bfb064db5290d0359c53f173fbc48d1d42fdf957a27f8a9b71530c0d980fa5",
    ),
}


@pytest.fixture
def document():
    """The packaged policy under another name, to be spoiled."""
    return yaml.safe_load(PACKAGED.read_text(encoding="utf-8")) | {"policy_id": "own"}


def load(document, *, folder, settings, name="own"):
    folder.mkdir(exist_ok=True)
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_policy(name, settings=settings, folder=folder)


def params(policy, rule, *, to_state=State.ACTIVE, first_model=False):
    specs = policy.specs(ModelType.SIGNAL_MODEL, to_state=to_state, first_model=first_model)
    return next(spec.params for spec in specs if spec.rule == rule)


def test_the_default_policy_has_the_numbers_fixed_for_it(policy):
    assert policy.policy_id == DEFAULT_POLICY
    assert policy.packs == ("bench_core_v1",)
    assert params(policy, "delta_sharpe") == {"at_least": 0.10}
    assert params(policy, "drawdown_tolerance") == {"at_most": 0.02}
    assert params(policy, "sharpe_superior") == {"alpha": 0.05, "coverage_at_least": 0.84}
    assert params(policy, "superiority_family") == {"alpha": 0.05, "tests": ["sharpe", "deflated_sharpe"]}
    assert params(policy, "overfitting") == {"at_most": 0.05, "search_at_most": None}
    assert params(policy, "latency") == {"p95_ms_at_most": 200}
    for first_model in (False, True):
        assert params(policy, "sharpe_after_trials", first_model=first_model) == {"confidence": 0.95}
        assert params(policy, "track_record", first_model=first_model) == {"confidence": 0.95}
    assert params(policy, "shadow_duration") == {"at_least_days": 7}
    assert params(policy, "shadow_agreement") == {"max_abs_diff": 1e-9, "max_timeout_share": 0.01}
    assert params(policy, "shadow_not_inferior") == {"margin": 0.05}
    assert params(policy, "approvals") == {"count": 1, "max_age_days": 30, "groups": {}}
    assert params(policy, "max_drawdown", first_model=True) == {"at_most": 0.35}
    assert params(policy, "sessions", first_model=True) == {"at_least": 1000}


@pytest.mark.parametrize("policy_id", sorted(PACKAGED_AS))
def test_a_packaged_policy_is_what_it_was(settings, policy_id):
    """Decisions were made by these bytes, and name this hash: whoever wants other rules writes the next policy."""
    content = (PACKAGED.parent / f"{policy_id}.yaml").read_bytes()
    found = hashlib.sha256(content).hexdigest(), load_policy(policy_id, settings=settings).policy_hash
    assert found == PACKAGED_AS[policy_id]


def test_the_types_that_are_not_traded_were_judged_alike_until_they_were_tested(settings):
    first, second = (load_policy(policy_id, settings=settings) for policy_id in ("gov_v1", "gov_v2"))
    for model_type in (ModelType.PROMPT_PACK, ModelType.EMBED_MODEL):
        now = second.rules[model_type].model_dump_json().replace("dataset_checked", "dataset_accepted")
        assert now == first.rules[model_type].model_dump_json()


def test_signal_models_are_judged_as_before_but_for_costs_and_silences(policy, settings):
    """Their cards must be of the policy's costs, and a share of the events may have found the candidate silent in shadow."""
    before = load_policy("gov_v2", settings=settings)
    agreement = {"max_abs_diff": 1e-9, "max_timeout_share": 0.01}
    replaced = {"shadow_parity": RuleSpec(rule="shadow_agreement", params=agreement)}
    for to_state, first_model in itertools.product((State.SHADOW, State.ACTIVE), (False, True)):
        now, then = (
            one.specs(ModelType.SIGNAL_MODEL, to_state=to_state, first_model=first_model)
            for one in (policy, before)
        )
        expected = [replaced.get(spec.rule, spec) for spec in then]
        assert [spec for spec in now if spec.rule != "scorecards_judged_with"] == expected
        assert len(now) == len(then) + 1


def test_every_rule_is_used_by_a_packaged_policy(settings):
    used = {
        spec.rule
        for policy_id in packaged_policies()
        for of_type in load_policy(policy_id, settings=settings).rules.values()
        for move in (of_type.shadow, of_type.active)
        for specs in (move.default, move.first_model)
        for spec in specs
    }
    others = {"measures_superior", "requester_kind", "run_metric"}  # for policies of other teams
    assert used == set(RULES) - others


def test_settings_are_part_of_the_hash(policy, settings):
    again = load_policy(settings=settings)
    stricter = load_policy(settings=settings.model_copy(update={"learn_gate_delta_sharpe": 0.2}))
    assert again.policy_hash == policy.policy_hash
    assert params(stricter, "delta_sharpe") == {"at_least": 0.2}
    assert stricter.policy_hash != policy.policy_hash


def test_layout_and_comments_are_not_part_of_the_hash(document, tmp_path, settings):
    first = load(document, folder=tmp_path, settings=settings)
    second = load(
        "# ours\n" + yaml.safe_dump(document, default_flow_style=True), folder=tmp_path, settings=settings
    )
    assert first.policy_hash == second.policy_hash


def test_a_policy_of_ones_own_is_found_under_the_home(document, tmp_path):
    load(document, folder=tmp_path / "policies", settings=load_settings(home=tmp_path))
    assert load_policy("own", settings=load_settings(home=tmp_path)).policy_id == "own"


def test_a_policy_of_the_package_cannot_be_replaced(document, tmp_path, settings):
    with pytest.raises(ConfigInvalid, match="would replace"):
        load(document | {"policy_id": "gov_v1"}, folder=tmp_path, settings=settings, name="gov_v1")


@pytest.mark.parametrize("name", ["absent", "", "../gov_v1", "GOV_V1", "gov-v1", "gov_v1.yaml"])
def test_a_policy_that_is_not_there_is_missing(name, tmp_path, settings):
    with pytest.raises(PolicyMissing):
        load_policy(name, settings=settings, folder=tmp_path)


def test_a_policy_that_cannot_be_read_is_missing(tmp_path, settings):
    (tmp_path / "own.yaml").mkdir()
    with pytest.raises(PolicyMissing):
        load_policy("own", settings=settings, folder=tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"policy_id: \xff")
    with pytest.raises(PolicyMissing):
        load_policy("latin", settings=settings, folder=tmp_path)


def active(document):
    return document["rules"]["signal_model"]["active"]["default"]


def replace_rule(document, rule, spec):
    specs = active(document)
    place = next(
        n for n, item in enumerate(specs) if item == rule or (isinstance(item, dict) and rule in item)
    )
    specs[place : place + 1] = [] if spec is None else [spec]


SPOILED = {
    "no id": lambda d: d.pop("policy_id"),
    "another id": lambda d: d.update(policy_id="other"),
    "newer schema": lambda d: d.update(schema_version="2.0.0"),
    "no rules": lambda d: d.pop("rules"),
    "empty rules": lambda d: d.update(rules={}),
    "rules are a list": lambda d: d.update(rules=[]),
    "moves are a list": lambda d: d["rules"].update(signal_model=[]),
    "unknown type": lambda d: d["rules"].update(other=d["rules"]["signal_model"]),
    "unknown move": lambda d: d["rules"]["signal_model"].update(retired={}),
    "no active": lambda d: d["rules"]["signal_model"].pop("active"),
    "move is text": lambda d: d["rules"]["signal_model"].update(active="all"),
    "no first model": lambda d: d["rules"]["signal_model"]["active"].pop("first_model"),
    "rule set is null": lambda d: d["rules"]["signal_model"]["active"].update(first_model=None),
    "rule set is empty": lambda d: d["rules"]["signal_model"]["active"].update(first_model=[]),
    "unknown rule": lambda d: active(d).append("looks_good"),
    "rule twice": lambda d: active(d).append("evidence_verified"),
    "rule is a number": lambda d: active(d).append(3),
    "rule is null": lambda d: active(d).append(None),
    "rule has two names": lambda d: active(d).append(
        {"sessions": {"at_least": 1}, "max_drawdown": {"at_most": 0.1}}
    ),
    "unhashable": lambda d: active(d).append([["sessions"]]),
    "no approvals": lambda d: replace_rule(d, "approvals", None),
    "zero approvals": lambda d: replace_rule(d, "approvals", {"approvals": {"count": 0, "max_age_days": 30}}),
    "negative approvals": lambda d: replace_rule(
        d, "approvals", {"approvals": {"count": -1, "max_age_days": 30}}
    ),
    "no artifact check": lambda d: replace_rule(d, "artifact_intact", None),
    "no signature check": lambda d: replace_rule(d, "evidence_verified", None),
    "unknown parameter": lambda d: replace_rule(
        d, "delta_sharpe", {"delta_sharpe": {"at_least": 0.1, "loose": True}}
    ),
    "missing parameter": lambda d: replace_rule(d, "delta_sharpe", "delta_sharpe"),
    "parameter for none": lambda d: replace_rule(d, "artifact_intact", {"artifact_intact": {"skip": True}}),
    "text for a number": lambda d: replace_rule(d, "delta_sharpe", {"delta_sharpe": {"at_least": "0.1"}}),
    "truth for a number": lambda d: replace_rule(d, "delta_sharpe", {"delta_sharpe": {"at_least": True}}),
    "NaN": lambda d: replace_rule(d, "delta_sharpe", {"delta_sharpe": {"at_least": float("nan")}}),
    "minus infinity": lambda d: replace_rule(
        d, "delta_sharpe", {"delta_sharpe": {"at_least": float("-inf")}}
    ),
    "no margin to speak of": lambda d: replace_rule(
        d, "shadow_not_inferior", {"shadow_not_inferior": {"margin": 1.0}}
    ),
    "alpha of one": lambda d: replace_rule(d, "sharpe_significant", {"sharpe_significant": {"alpha": 1.0}}),
    "unknown setting": lambda d: replace_rule(
        d, "delta_sharpe", {"delta_sharpe": {"at_least": {"setting": "zero"}}}
    ),
    "setting that is no number": lambda d: replace_rule(
        d, "delta_sharpe", {"delta_sharpe": {"at_least": {"setting": "learn_train_schedule"}}}
    ),
    "setting outside": lambda d: replace_rule(
        d, "delta_sharpe", {"delta_sharpe": {"at_least": {"setting": "home"}}}
    ),
    "setting and more": lambda d: d.update(packs={"setting": "learn_eval_packs", "or": []}),
    "setting unhashable": lambda d: d.update(packs={"setting": ["learn_eval_packs"]}),
    "no packs": lambda d: d.update(packs=[]),
    "empty pack": lambda d: d.update(packs=[""]),
    "governs nothing": lambda d: d["governs"].update(names=[]),
    "governs no type": lambda d: d["governs"].update(model_types=[]),
    "extra field": lambda d: d.update(waive_all=True),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_every_bad_policy_is_refused(spoil, document, tmp_path, settings):
    load(copy.deepcopy(document), folder=tmp_path, settings=settings)
    spoil(document)
    with pytest.raises(ConfigInvalid):
        load(document, folder=tmp_path, settings=settings)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "policy_id: own\npolicy_id: own\n",
        "a: [",
        "? [a]\n: b\n",
        "!!python/object:os.system {}",
        "a: *b",
    ],
)
def test_every_bad_file_is_refused(text, tmp_path, settings):
    with pytest.raises(ConfigInvalid):
        load(text, folder=tmp_path, settings=settings)


def test_a_key_given_twice_is_refused(document, tmp_path, settings):
    text = yaml.safe_dump(document)
    load(text, folder=tmp_path, settings=settings)
    with pytest.raises(ConfigInvalid, match="given twice"):
        load(text + "packs: [easy_pack]\n", folder=tmp_path, settings=settings)


@pytest.mark.parametrize(
    ("name", "model_type", "governed"),
    [
        ("signal-a", "signal_model", True),
        ("Signal-A", ModelType.SIGNAL_MODEL, True),
        ("signal-a", None, True),
        ("signal-a", "prompt_pack", False),
        ("signal-a", "unheard_of", False),
        ("other", "signal_model", False),
    ],
)
def test_a_policy_governs_by_name_and_type(name, model_type, governed, document, tmp_path, settings):
    document["governs"] = {"names": ["signal-*"], "model_types": ["signal_model"]}
    assert governs(load(document, folder=tmp_path, settings=settings), name, model_type) is governed


def test_the_default_policy_governs_every_model_of_every_type(policy):
    for model_type in (*ModelType, None):
        assert governs(policy, "anything at all", model_type)


def test_a_type_without_rules_has_none(policy):
    signals = policy.model_copy(update={"rules": {"signal_model": policy.rules[ModelType.SIGNAL_MODEL]}})
    assert signals.specs(ModelType.PROMPT_PACK, to_state=State.ACTIVE, first_model=False) == ()
    assert policy.specs(ModelType.SIGNAL_MODEL, to_state=State.RETIRED, first_model=False) == ()
