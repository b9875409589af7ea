"""Truth tables of the rules that test something: pass, fail, inconclusive with what is lacking, or not evaluable."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ordinis_learn.evaluation import minimum_track_record, periods_for_confidence, probabilistic_sharpe
from ordinis_learn.records import Interval, ModelArtifact, State
from ordinis_learn.rollout import decide, evidence_hash, explain, load_policy
from ordinis_learn.rollout.rules import RULES, Context

NAN = math.nan
PASS, FAIL, OPEN, BLOCKED = "pass", "fail", "inconclusive", "not_evaluable"
SUPERIOR = {"alpha": 0.05, "coverage_at_least": 0.84}
FAMILY = {"alpha": 0.05, "tests": ["sharpe", "deflated_sharpe"]}
SURE = {"confidence": 0.95}


def judge(rule, params, make, *, packs=None, **changes):
    evidence = make.evidence(**changes)
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(make.pack,) if packs is None else packs,
        to_state=State.ACTIVE,
        requester=make.requester,
        now=make.now,
    )
    verdict = RULES[rule].verdict(context, params)
    assert bool(verdict.next_step) == (verdict.verdict != PASS), verdict
    assert "could not be evaluated" not in verdict.found
    return verdict


def of_card(rule, params, make, *, statistics=None, **card):
    """Judge evidence with one card, changed in its statistics or elsewhere."""
    made = make.scorecard(**({"statistics": make.statistics(**(statistics or {}))} | card))
    return judge(rule, params, make, scorecards={make.pack: made})


DIFFERENCES = [
    ({}, PASS, None),
    ({"p_value": 0.051}, OPEN, 1),
    (
        {
            "verdict": "inconclusive",
            "p_value": 0.2,
            "estimate": 0.1,
            "interval": (-0.1, 0.3),
            "sessions_needed": 4000.0,
        },
        OPEN,
        7500,  # 2,500 · (0.2 / 0.1)² are 10,000, more than the 4,000 for power
    ),
    (
        {
            "verdict": "inconclusive",
            "p_value": 0.06,
            "estimate": 0.4,
            "interval": (-0.01, 0.8),
            "sessions_needed": 4000.0,
        },
        OPEN,
        1500,
    ),
    (
        {
            "verdict": "inconclusive",
            "p_value": 0.6,
            "estimate": -0.1,
            "interval": (-0.4, 0.2),
            "sessions_needed": NAN,
        },
        OPEN,
        None,  # no number of sessions shows what is not there
    ),
    ({"verdict": "fail", "p_value": 0.999, "estimate": -0.4, "interval": (-0.7, -0.1)}, FAIL, None),
    ({"draws": 0, "block_length": 1, "p_value": 1.0, "verdict": "inconclusive"}, OPEN, None),
    ({"p_value": NAN}, BLOCKED, None),
    ({"interval": (NAN, 0.7)}, BLOCKED, None),
    ({"null": -0.1}, BLOCKED, None),
    ({"alpha": 0.1}, BLOCKED, None),
    ({"block_length": 7}, BLOCKED, None),
]


@pytest.mark.parametrize(("changes", "expected", "missing"), DIFFERENCES)
def test_a_sharpe_difference(changes, expected, missing, make):
    changes = dict(changes)
    if "interval" in changes:
        low, high = changes.pop("interval")
        changes["interval"] = Interval(low=low, high=high, level=0.9)
    verdict = of_card("sharpe_superior", SUPERIOR, make, differences={"sharpe": make.difference(**changes)})
    assert verdict.verdict == expected, verdict
    assert verdict.sessions_missing == missing
    assert (verdict.detectable == 0.3) == (expected != BLOCKED and changes.get("draws") != 0)


def test_a_block_length_that_does_not_keep_its_level_shows_nothing(make):
    for coverage, expected in ((0.84, PASS), (0.83, OPEN), (NAN, BLOCKED)):
        verdict = of_card("sharpe_superior", SUPERIOR, make, statistics={"block_coverage": {"6": coverage}})
        assert verdict.verdict == expected
    assert of_card("sharpe_superior", SUPERIOR, make, statistics={"block_coverage": {}}).verdict == BLOCKED


P_VALUES = [
    ({"sharpe": 0.004, "deflated_sharpe": 0.03}, PASS),
    ({"sharpe": 0.025, "deflated_sharpe": 0.05}, PASS),
    ({"sharpe": 0.026, "deflated_sharpe": 0.049}, OPEN),  # each by itself would be significant
    ({"sharpe": 0.001, "deflated_sharpe": 0.06}, OPEN),
    ({"sharpe": 0.001, "deflated_sharpe": NAN}, BLOCKED),
    ({"sharpe": 0.001}, BLOCKED),
]


@pytest.mark.parametrize(("p_values", "expected"), P_VALUES)
def test_tests_that_are_held_to_one_level_together(p_values, expected, make):
    verdict = of_card("superiority_family", FAMILY, make, statistics={"p_values": p_values})
    assert verdict.verdict == expected, verdict


def test_the_family_reaches_over_all_packs(make):
    """0.013 is significant among two tests at 5 % and not among four."""
    p_values = {"sharpe": 0.013, "deflated_sharpe": 0.014}
    cards = {
        pack: make.scorecard(pack_id=pack, statistics=make.statistics(p_values=p_values))
        for pack in ("one", "two")
    }
    assert judge("superiority_family", FAMILY, make, packs=("one",), scorecards=cards).verdict == PASS
    assert judge("superiority_family", FAMILY, make, packs=("one", "two"), scorecards=cards).verdict == OPEN
    one = {"one": cards["one"]}
    assert judge("superiority_family", FAMILY, make, packs=("one", "two"), scorecards=one).verdict == BLOCKED


PROBABILITIES = [(0.95, PASS), (0.9499, OPEN), (0.5, OPEN), (0.051, OPEN), (0.05, FAIL), (NAN, BLOCKED)]


@pytest.mark.parametrize(("probability", "expected"), PROBABILITIES)
@pytest.mark.parametrize(
    ("rule", "field"),
    [("sharpe_after_trials", "deflated_sharpe_2012"), ("track_record", "probabilistic_sharpe_2012")],
)
def test_a_sharpe_ratio_by_itself(rule, field, probability, expected, make):
    verdict = of_card(rule, SURE, make, statistics={field: probability})
    assert verdict.verdict == expected, verdict
    assert (verdict.sessions_missing is None) == (expected != OPEN or probability <= 0.5)
    assert (verdict.detectable is None) == (expected == BLOCKED)


def test_trials_that_were_run_and_not_counted_close_the_rule(make):
    assert of_card("sharpe_after_trials", SURE, make, trials=11).verdict == BLOCKED
    counted = judge("sharpe_after_trials", SURE, make, earlier_trials=1)
    assert counted.verdict == BLOCKED
    assert judge("sharpe_after_trials", SURE, make, artifact=None).verdict == BLOCKED


@given(
    st.floats(0.005, 0.2),
    st.integers(60, 5000),
    st.floats(-1.0, 1.0),
    st.floats(3.0, 12.0),
    st.floats(0.8, 0.99),
)
def test_the_sessions_still_needed_are_those_of_the_minimum_track_record(
    sharpe, periods, skewness, kurtosis, confidence
):
    known = probabilistic_sharpe(sharpe, periods=periods, skewness=skewness, kurtosis=kurtosis)
    told = periods_for_confidence(known, periods=periods, confidence=confidence)
    needed = minimum_track_record(sharpe, skewness=skewness, kurtosis=kurtosis, confidence=confidence)
    if known < 1 - 1e-9:  # beyond that the probability has lost its digits
        assert told == pytest.approx(needed, rel=1e-5)


CHOICES = [
    ({"probability": 0.05}, PASS),
    ({"probability": 0.0501}, OPEN),
    ({"probability": 0.5}, FAIL),
    ({"probability": NAN}, BLOCKED),
]


@pytest.mark.parametrize(("changes", "expected"), CHOICES)
def test_the_choice_among_versions(changes, expected, make):
    statistics = {"overfitting": make.overfitting(**changes)}
    assert of_card("overfitting", {"at_most": 0.05}, make, statistics=statistics).verdict == expected


def test_a_choice_that_cannot_be_judged_closes_the_rule_and_says_why(make):
    quality = {"overfitting": "undefined: no other version"}
    verdict = of_card(
        "overfitting", {"at_most": 0.05}, make, statistics={"overfitting": None}, metric_quality=quality
    )
    assert verdict.verdict == BLOCKED
    assert "no other version" in verdict.found


class Searched(ModelArtifact):
    """An artifact whose search recorded how likely its choice of trial is overfitted."""

    search_pbo: object = None


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [(None, BLOCKED), (0.01, PASS), (0.2, OPEN), ({"probability": 0.7}, FAIL)],
)
def test_a_search_is_judged_by_its_own_choice_where_a_policy_says_so(recorded, expected, make):
    artifact = Searched.model_validate(make.artifact().model_dump() | {"search_pbo": recorded})
    both = {"at_most": 0.05, "search_at_most": 0.05}
    assert judge("overfitting", both, make, artifact=artifact).verdict == expected
    told = judge("overfitting", {"at_most": 0.05}, make, artifact=artifact)
    assert told.verdict == PASS
    assert ("among the trials of the search" in told.found) == (recorded is not None)


SYSTEM = [
    ("latency", {"p95_ms_at_most": 200}, {"latency_ms_p95": 200.0}, PASS),
    ("latency", {"p95_ms_at_most": 200}, {"latency_ms_p95": 200.1}, FAIL),
    ("latency", {"p95_ms_at_most": 200}, {"latency_ms_p95": NAN}, BLOCKED),
    ("quarantine_rate_not_higher", {}, {"quarantine_rate": 0.0}, PASS),
    ("quarantine_rate_not_higher", {}, {"quarantine_rate": 0.001}, FAIL),
    ("quarantine_rate_not_higher", {}, {"baseline_quarantine_rate": NAN}, BLOCKED),
]


@pytest.mark.parametrize(("rule", "params", "changes", "expected"), SYSTEM)
def test_how_the_run_went(rule, params, changes, expected, make):
    system = make.statistics().system | changes
    assert of_card(rule, params, make, statistics={"system": system}).verdict == expected
    assert of_card(rule, params, make, statistics={"system": {}}).verdict == BLOCKED


TESTED = {
    "sharpe_superior": SUPERIOR,
    "superiority_family": FAMILY,
    "sharpe_after_trials": SURE,
    "track_record": SURE,
    "overfitting": {"at_most": 0.05},
    "latency": {"p95_ms_at_most": 200},
    "quarantine_rate_not_higher": {},
}


@pytest.mark.parametrize("rule", TESTED)
def test_a_card_from_before_statistics_closes_the_rule(rule, make):
    old = make.scorecard(statistics=None)
    assert judge(rule, TESTED[rule], make, scorecards={make.pack: old}).verdict == BLOCKED


def test_the_policy_before_still_judges_such_a_card(make, settings):
    evidence = make.approved(make.evidence(scorecards={make.pack: make.scorecard(statistics=None)}))
    before = load_policy("gov_v1", settings=settings)
    decision = decide(evidence, to_state=State.ACTIVE, requester=make.requester, policy=before, now=make.now)
    assert decision.allowed
    # Its verdicts are written as they always were.
    assert not any({"detectable", "sessions_missing"} & set(one) for one in decision.to_json()["verdicts"])


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_statistic_that_is_undefined_never_opens_the_gate(make, policy, data):
    statistics = make.statistics()
    numbers = [
        name for name, value in statistics if isinstance(value, float) and name != "track_record_confidence"
    ]
    gone = data.draw(
        st.sampled_from([*numbers, "overfitting", "system", "block_coverage", "p_values", "statistics"])
    )
    empty = {"overfitting": None, "system": {}, "block_coverage": {}, "p_values": {}}
    spoiled = statistics.model_copy(update={gone: empty.get(gone, NAN)})
    card = make.scorecard(statistics=None if gone == "statistics" else spoiled)
    evidence = make.approved(make.evidence(scorecards={make.pack: card}))
    decision = decide(evidence, to_state=State.ACTIVE, requester=make.requester, policy=policy, now=make.now)
    read = {"deflated_sharpe_2012", "probabilistic_sharpe_2012"} | set(empty) | {"statistics"}
    assert decision.allowed == (gone not in read), explain(decision)


def test_what_a_test_lacks_is_said(make, policy):
    weak = make.difference(
        verdict="inconclusive", p_value=0.2, interval=Interval(low=-0.1, high=1.0, level=0.9)
    )
    card = make.scorecard(differences={"sharpe": weak})
    evidence = make.approved(make.evidence(scorecards={make.pack: card}))
    decision = decide(evidence, to_state=State.ACTIVE, requester=make.requester, policy=policy, now=make.now)
    assert "    power: detectable 0.30 or more, 1,235 sessions still needed" in explain(decision).splitlines()
