"""Embed models and prompt packs under the policy that compared their estimates."""

from __future__ import annotations

import pytest

from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout import decide, explain, load_policy

EMBED = {"recall_at_k": 0.82, "mrr": 0.61}
PROMPT = {"schema_valid_rate": 0.995, "citation_coverage": 0.9, "refusal_rate": 0.02}
PACKS = {ModelType.EMBED_MODEL: "rag_eval_v1", ModelType.PROMPT_PACK: "prompt_eval_v1"}


@pytest.fixture(scope="session")
def policy(settings):
    return load_policy("gov_v2", settings=settings)


def asked(make, policy, model_type, metrics, *, baseline=None, pack=None):
    pack = pack or PACKS[model_type]
    card = make.scorecard(
        pack_id=pack, metrics=metrics, baseline_metrics=baseline or metrics, metric_quality={}
    )
    evidence = make.evidence(
        artifact=make.artifact(model_type=model_type), scorecards={pack: card}, shadow=None
    )
    return decide(
        make.approved(evidence),
        to_state=State.ACTIVE,
        requester=make.requester,
        policy=policy,
        now=make.now,
    )


@pytest.mark.parametrize(
    ("model_type", "metrics"), [(ModelType.EMBED_MODEL, EMBED), (ModelType.PROMPT_PACK, PROMPT)]
)
def test_as_good_as_the_baseline_is_good_enough(make, policy, model_type, metrics):
    decision = asked(make, policy, model_type, metrics)
    assert decision.allowed, explain(decision)


@pytest.mark.parametrize(
    ("model_type", "metrics", "name", "value"),
    [
        (ModelType.EMBED_MODEL, EMBED, "recall_at_k", 0.81),
        (ModelType.EMBED_MODEL, EMBED, "mrr", 0.6),
        (ModelType.EMBED_MODEL, EMBED, "mrr", None),
        (ModelType.PROMPT_PACK, PROMPT, "schema_valid_rate", 0.989),
        (ModelType.PROMPT_PACK, PROMPT, "citation_coverage", 0.89),
        (ModelType.PROMPT_PACK, PROMPT, "refusal_rate", 0.03),
    ],
)
def test_one_metric_that_got_worse_is_named(make, policy, model_type, metrics, name, value):
    decision = asked(make, policy, model_type, metrics | {name: value}, baseline=metrics)
    assert [verdict.rule for verdict in decision.reasons] == [f"scorecard_metric:{name}"]


def test_each_type_is_judged_on_its_own_pack(make, policy):
    decision = asked(make, policy, ModelType.EMBED_MODEL, EMBED, pack=make.pack)
    assert "scorecards_present" in {verdict.rule for verdict in decision.reasons}
