"""Prompt packs and embed models under the default policy: paired tests, and packs in shadow, with one thing wrong each."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ordinis_learn.evaluation import rate_verdict
from ordinis_learn.evaluation.paired_verdicts import RATE_INTERVAL, SHARE_INTERVAL
from ordinis_learn.records import Interval, ModelType, PairedRate, ShadowAnswers, State
from ordinis_learn.rollout import decide, explain
from ordinis_learn.rollout.rules import RULES, Context

PACKS = {ModelType.EMBED_MODEL: "rag_eval_v1", ModelType.PROMPT_PACK: "prompt_eval_v1"}
METRICS = {"schema_valid_rate": 0.995, "citation_surplus": 0.05, "graded_share": 1.0}
MEASURES = {
    ModelType.EMBED_MODEL: ("recall_at_k", "mrr"),
    ModelType.PROMPT_PACK: (
        "schema_valid_rate",
        "refusal_rate",
        "citation_coverage",
        "citation_surplus",
        "citation_accuracy",
    ),
}
RATES = ("schema_valid_rate", "refusal_rate")


@pytest.fixture
def difference(make):
    def build(name, low=-0.01, high=0.01, **changes):
        kind = f"exact McNemar; {RATE_INTERVAL}" if name in RATES else f"{SHARE_INTERVAL} over 80 documents"
        fields = {
            "metric": name,
            "estimate": (low + high) / 2,
            "interval": Interval(low=low, high=high, level=0.95),
            "p_value": 0.5,
            "alpha": 0.025,
            "method": kind,
            "sessions": 400,
            "verdict": "inconclusive",
        }
        return make.difference(**(fields | changes))

    return build


def paired_rate(low=-0.02, high=0.02, **changes):
    fields = {"pairs": 500, "difference": 0.0, "gained": 2, "lost": 2, "p_value": 1.0, "level": 0.95}
    return PairedRate(**(fields | {"low": low, "high": high} | changes))


def answers(**differences):
    return ShadowAnswers(
        requests=500,
        paired=500,
        unpaired=0,
        unpaired_rate=0.0,
        recorded=500,
        asked=0,
        candidate={},
        active={},
        differences={"citation_coverage": paired_rate()} | differences,
    )


@pytest.fixture
def pack_shadow(make):
    def build(**changes):
        fields = {
            "decisions": 500,
            "paired_decisions": 500,
            "parity_max_abs_diff": math.nan,
            "loss_interval": Interval(low=-0.03, high=0.04, level=0.95),
            "answers": answers(),
        }
        return make.shadow(**(fields | changes))

    return build


@pytest.fixture
def asked(make, policy, difference, pack_shadow):
    """Ask for ACTIVE with some differences, metrics or shadow figures of the scorecard replaced; return the decision."""

    def ask(model_type, *, differences=None, metrics=None, shadow=None, without=(), **changes):
        pack = PACKS[model_type]
        tests = {name: difference(name) for name in MEASURES[model_type] if name not in without}
        card = make.scorecard(
            pack_id=pack,
            sessions=400,
            metrics=METRICS | (metrics or {}),
            differences=tests | (differences or {}),
            metric_quality={},
            **changes,
        )
        evidence = make.evidence(
            artifact=make.artifact(model_type=model_type),
            scorecards={pack: card},
            shadow=pack_shadow(**(shadow or {})) if model_type is ModelType.PROMPT_PACK else None,
        )
        return decide(
            make.approved(evidence),
            to_state=State.ACTIVE,
            requester=make.requester,
            policy=policy,
            now=make.now,
        )

    return ask


@pytest.mark.parametrize("model_type", list(PACKS))
def test_what_is_shown_to_be_no_worse_is_good_enough(asked, model_type):
    decision = asked(model_type)
    assert decision.allowed, explain(decision)


def only_reason(decision):
    (verdict,) = decision.reasons
    return verdict


LOWER = ("refusal_rate", "citation_surplus")


@pytest.mark.parametrize(
    ("model_type", "name"), [(model_type, name) for model_type in PACKS for name in MEASURES[model_type]]
)
@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.3, -0.2, "fail"), (-0.3, -0.0, "inconclusive"), (-0.3, 0.2, "inconclusive")],
)
def test_each_measure_is_held_against_its_margin(asked, difference, model_type, name, low, high, verdict):
    if name in LOWER:
        low, high = -high, -low
    reason = only_reason(asked(model_type, differences={name: difference(name, low, high)}))
    assert (reason.rule, reason.verdict) == (f"measure_not_inferior:{name}", verdict)
    half = (high - low) / 2
    assert reason.detectable == pytest.approx(half * 2.80 / 1.96, rel=2e-3)
    better = asked(model_type, differences={name: difference(name, -high, -low)})
    assert better.allowed == (verdict == "fail" or low == 0.0 or high == 0.0), explain(better)


def test_it_says_how_many_questions_are_missing(asked, difference):
    seen = difference("citation_coverage", -0.06, 0.04)
    reason = only_reason(asked(ModelType.PROMPT_PACK, differences={"citation_coverage": seen}))
    assert reason.sessions_missing == pytest.approx(400 * (0.05 * 2.8016 / 1.96 / 0.04) ** 2 - 400, abs=2)
    decision = asked(ModelType.PROMPT_PACK, differences={"citation_coverage": seen})
    assert f"detectable 0.07 or more, {reason.sessions_missing:,} questions still needed" in explain(decision)
    hopeless = difference("citation_coverage", -0.12, -0.01)
    reason = only_reason(asked(ModelType.PROMPT_PACK, differences={"citation_coverage": hopeless}))
    assert reason.sessions_missing is None


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"method": "exact McNemar, one-sided; interval Bonett & Price (2012)"},
            "not known against a margin",
        ),
        # by question, not by document
        ({"method": "exact McNemar, one-sided; interval Tango (1998)"}, "not known against a margin"),
        ({"interval": Interval(low=-0.01, high=0.01, level=0.9)}, "level 0.9"),
        ({"interval": Interval(low=0.0, high=0.0, level=0.95)}, "level 0.95"),
        ({"interval": Interval(low=math.nan, high=0.01, level=0.95)}, "no interval"),
        ({"interval": Interval(low=0.01, high=0.02, level=0.95)}, "no interval"),
        ({"estimate": math.nan}, "no interval"),
        ({"sessions": 401}, "401 of 400 questions"),
        ({"sessions": 0}, "0 of 400 questions"),
        ({"sessions": -5}, "-5 of 400 questions"),
    ],
)
def test_a_test_that_cannot_be_held_against_a_margin_closes_the_gate(asked, difference, changes, found):
    spoiled = difference("refusal_rate", **changes)
    reason = only_reason(asked(ModelType.PROMPT_PACK, differences={"refusal_rate": spoiled}))
    assert reason.verdict == "not_evaluable"
    assert found in reason.found


def test_a_difference_that_is_not_there_closes_the_gate(asked):
    reason = only_reason(asked(ModelType.PROMPT_PACK, without=("citation_accuracy",)))
    assert (reason.rule, reason.verdict) == ("measure_not_inferior:citation_accuracy", "not_evaluable")


def test_a_pack_that_speaks_only_where_it_is_sure_is_not_compared_enough(asked, difference):
    few = difference("citation_coverage", sessions=199)
    reason = only_reason(asked(ModelType.PROMPT_PACK, differences={"citation_coverage": few}))
    assert (reason.verdict, "199 of 400" in reason.found) == ("inconclusive", True)


@pytest.mark.parametrize(
    ("metrics", "rule"),
    [
        ({"schema_valid_rate": 0.989}, "scorecard_metric:schema_valid_rate"),
        ({"citation_surplus": 0.51}, "scorecard_metric:citation_surplus"),
        ({"citation_surplus": None}, "scorecard_metric:citation_surplus"),
        ({"graded_share": 0.49}, "questions_graded"),
        ({"graded_share": None}, "questions_graded"),
    ],
)
def test_the_floors_hold_whatever_the_active_pack_does(asked, metrics, rule):
    assert only_reason(asked(ModelType.PROMPT_PACK, metrics=metrics)).rule == rule


@pytest.mark.parametrize(
    ("shadow", "rule", "verdict"),
    [
        ({"calendar_days": 6}, "shadow_duration", "fail"),
        ({"decisions": 199, "paired_decisions": 199}, "shadow_decisions", "fail"),
        ({"unpaired": 30}, "shadow_decisions", "fail"),
        ({"errors": 11}, "shadow_error_rate", "fail"),
        (
            {"loss_interval": Interval(low=-0.02, high=0.06, level=0.95)},
            "shadow_not_inferior",
            "inconclusive",
        ),
        ({"loss_interval": Interval(low=0.06, high=0.09, level=0.95)}, "shadow_not_inferior", "fail"),
        ({"loss_interval": None}, "shadow_not_inferior", "not_evaluable"),
        (
            {"answers": answers(citation_coverage=paired_rate(-0.11, 0.1))},
            "shadow_answers_not_inferior:citation_coverage",
            "inconclusive",
        ),
        (
            {"answers": answers(citation_coverage=paired_rate(-0.3, -0.11))},
            "shadow_answers_not_inferior:citation_coverage",
            "fail",
        ),
        (
            {"answers": answers(citation_coverage=paired_rate(level=0.9))},
            "shadow_answers_not_inferior:citation_coverage",
            "not_evaluable",
        ),
        ({"answers": None}, "shadow_answers_not_inferior:citation_coverage", "not_evaluable"),
    ],
)
def test_a_pack_s_shadow_is_read(asked, shadow, rule, verdict):
    reason = only_reason(asked(ModelType.PROMPT_PACK, shadow=shadow))
    assert (reason.rule, reason.verdict) == (rule, verdict)


def test_without_a_shadow_beside_what_is_active_a_pack_stays(asked, make):
    other = make.incumbent.model_copy(update={"version": "0"})
    reasons = asked(ModelType.PROMPT_PACK, shadow={"active": other}).reasons
    assert {one.verdict for one in reasons} == {"not_evaluable"}
    assert {one.rule.split(":")[0] for one in reasons} == {
        "shadow_duration",
        "shadow_decisions",
        "shadow_error_rate",
        "shadow_not_inferior",
        "shadow_answers_not_inferior",
    }


@pytest.fixture
def superior(make, difference):
    """The rule for desks that ask for something better: one of two measures, together at 5 %."""

    def judge(**tests):
        found = {name: difference(name, **fields) for name, fields in tests.items()}
        card = make.scorecard(pack_id="prompt_eval_v1", differences=found, metric_quality={})
        context = Context(
            evidence=make.evidence(scorecards={"prompt_eval_v1": card}),
            evidence_hash="e" * 64,
            packs=("prompt_eval_v1",),
            to_state=State.ACTIVE,
            requester=make.requester,
            now=make.now,
        )
        params = {"alpha": 0.05, "names": ["schema_valid_rate", "citation_coverage"]}
        return RULES["measures_superior"].verdict(context, params)

    return judge


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ({"p_value": 0.02}, {}, "pass"),
        ({"p_value": 0.03}, {}, "inconclusive"),  # alone it would have passed
        ({"p_value": 0.001}, {"p_value": 0.99, "verdict": "fail"}, "fail"),
        ({"p_value": math.nan}, {"p_value": 0.001}, "not_evaluable"),
    ],
)
def test_one_of_several_that_is_better_is_held_to_one_level_by_holm(superior, first, second, verdict):
    assert superior(schema_valid_rate=first, citation_coverage=second).verdict == verdict


def test_what_was_not_tested_is_no_evidence_of_being_better(superior):
    assert superior(schema_valid_rate={"p_value": 0.001}).verdict == "not_evaluable"


def test_the_rule_reads_what_the_evaluation_writes(asked):
    """Equal over 200 questions but for one, either way."""
    good = np.arange(200) > 0
    card = rate_verdict("refusal_rate", ~good, ~np.roll(good, 1), better="lower")
    assert asked(ModelType.PROMPT_PACK, differences={"refusal_rate": card.model_copy()}).allowed
