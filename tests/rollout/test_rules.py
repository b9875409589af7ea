"""Truth tables: for each rule, what passes, what fails, what is open, what cannot be judged."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from ordinis_learn.errors import ApprovalMissing, DriftBreach, GateFailed
from ordinis_learn.records import DECLARED, DatasetValidation, Interval, ShadowFigures, SideFigures, State
from ordinis_learn.rollout import evidence_hash
from ordinis_learn.rollout.rules import RULES, Context

NAN = math.nan
PASS, FAIL, OPEN, BLOCKED = "pass", "fail", "inconclusive", "not_evaluable"


def judge(rule, params, evidence, make, *, packs=None, to_state=State.ACTIVE, requester=None):
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(make.pack,) if packs is None else packs,
        to_state=to_state,
        requester=requester or make.requester,
        now=make.now,
    )
    verdict = RULES[rule].verdict(context, params)
    assert verdict.rule == rule
    assert verdict.asked
    assert verdict.found
    assert verdict.source
    assert bool(verdict.next_step) == (verdict.verdict != PASS)
    assert (verdict.code == "") == verdict.passed
    return verdict


INTEGRITY = [
    ("artifact_intact", {}, PASS),
    ("artifact_intact", {"artifact": None}, BLOCKED),
    ("artifact_intact", {"stored_sha256": None}, BLOCKED),
    ("artifact_intact", {"stored_sha256": "c" * 64}, FAIL),
    ("evidence_verified", {}, PASS),
    ("evidence_verified", {"faults": ("one",)}, FAIL),
    ("dataset_accepted", {}, PASS),
    ("dataset_accepted", {"artifact": None}, BLOCKED),
    ("dataset_accepted", {"dataset": None}, BLOCKED),
    ("no_drift_breach", {}, PASS),
    ("no_drift_breach", {"drift_breached": True}, FAIL),
    ("no_drift_breach", {"drift_breached": None}, FAIL),
]


INTEGRITY += [("dataset_checked", *row[1:]) for row in INTEGRITY if row[0] == "dataset_accepted"]


@pytest.mark.parametrize(("rule", "changes", "expected"), INTEGRITY)
def test_integrity(rule, changes, expected, make):
    assert judge(rule, {}, make.evidence(**changes), make).verdict == expected


def test_warnings_are_not_counted_among_what_was_met(make):
    """The older rule keeps its words, so that past decisions come out the same."""
    told = DatasetValidation(success=True, evaluated=263, expected=263, warnings=("a is rare", "b is rare"))
    evidence = make.evidence(dataset=make.manifest(validation=told))
    found = judge("dataset_checked", {}, evidence, make).found
    assert found.endswith("5000 rows, 261 of 263 expectations met; warnings: a is rare, b is rare")
    assert judge("dataset_accepted", {}, evidence, make).found.endswith("263 expectations met")


def test_attested_bytes_must_be_the_registered_ones(make):
    evidence = make.evidence(artifact=make.artifact(artifact_sha256="c" * 64))
    assert judge("artifact_intact", {}, evidence, make).verdict == FAIL


def validation(**changes):
    return DatasetValidation.model_validate({"success": True, "evaluated": 14, "expected": 14} | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "v2"}, BLOCKED),
        ({"content_sha256": "e" * 64}, FAIL),
        ({"validation": validation(success=False, failed=("not_null",))}, FAIL),
        ({"validation": validation(failed=("not_null",))}, FAIL),
        ({"validation": validation(error="exception")}, FAIL),
        ({"validation": validation(evaluated=13)}, FAIL),
        ({"validation": validation(evaluated=0, expected=0)}, FAIL),
    ],
)
def test_only_an_accepted_dataset_of_the_same_content_passes(changes, expected, make):
    evidence = make.evidence(dataset=make.manifest(**changes))
    assert judge("dataset_accepted", {}, evidence, make).verdict == expected


def declared(make, **changes):
    fields = {"data_snapshot_ref": DECLARED, "data_sha256": None, "trained_from": None, "trained_until": None}
    return make.evidence(artifact=make.artifact(**(fields | changes)), dataset=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, PASS), ({"data_sha256": "d" * 64}, FAIL), ({"trained_until": "2018-12-31"}, FAIL)],
)
def test_a_declared_model_has_no_dataset_and_says_so(changes, expected, make):
    verdict = judge("dataset_accepted", {}, declared(make, **changes), make)
    assert verdict.verdict == expected
    assert "declared" in verdict.found


PARAMS = {
    "scorecards_fresh": {"max_age_days": 30},
    "delta_sharpe": {"at_least": 0.1},
    "sharpe_significant": {"alpha": 0.05},
    "deflated_sharpe": {"at_least": 0.95},
    "drawdown_tolerance": {"at_most": 0.02},
    "probabilistic_sharpe": {"at_least": 0.95},
    "max_drawdown": {"at_most": 0.35},
    "sessions": {"at_least": 1000},
}
OF_SCORECARDS = ("scorecards_present", "scorecard_baseline_is_incumbent", "error_rate_not_higher", *PARAMS)
COMPARING = (
    "scorecard_baseline_is_incumbent",
    "error_rate_not_higher",
    "delta_sharpe",
    "sharpe_significant",
    "drawdown_tolerance",
)


def metrics(*, sharpe=1.2, max_drawdown=0.20):
    return {"sharpe": sharpe, "max_drawdown": max_drawdown}


SCORECARDS = [
    ("scorecards_fresh", {}, PASS),
    ("scorecards_fresh", {"age": timedelta(days=30)}, PASS),
    ("scorecards_fresh", {"age": timedelta(days=30, seconds=1)}, FAIL),
    ("scorecards_fresh", {"age": timedelta(minutes=-4)}, PASS),
    ("scorecards_fresh", {"age": timedelta(minutes=-6)}, BLOCKED),
    ("error_rate_not_higher", {"error_rate": 0.01, "baseline_error_rate": 0.01}, PASS),
    ("error_rate_not_higher", {"error_rate": 0.02, "baseline_error_rate": 0.01}, FAIL),
    ("error_rate_not_higher", {"error_rate": NAN}, BLOCKED),
    ("error_rate_not_higher", {"baseline_error_rate": None}, BLOCKED),
    ("delta_sharpe", {"metrics": metrics(sharpe=0.86)}, PASS),
    ("delta_sharpe", {"metrics": metrics(sharpe=0.84)}, FAIL),
    ("delta_sharpe", {"metrics": metrics(sharpe=NAN)}, BLOCKED),
    ("delta_sharpe", {"metrics": metrics(sharpe=None)}, BLOCKED),
    ("delta_sharpe", {"metrics": metrics(sharpe=math.inf)}, BLOCKED),
    ("delta_sharpe", {"metrics": {}}, BLOCKED),
    ("delta_sharpe", {"baseline_metrics": {}}, BLOCKED),
    ("delta_sharpe", {"metric_quality": {"sharpe": "undefined"}}, BLOCKED),
    ("sharpe_significant", {"differences": {}}, BLOCKED),
    ("deflated_sharpe", {"deflated_sharpe": 0.95}, PASS),
    ("deflated_sharpe", {"deflated_sharpe": 0.9499}, FAIL),
    ("deflated_sharpe", {"deflated_sharpe": None}, BLOCKED),
    ("deflated_sharpe", {"deflated_sharpe": NAN}, BLOCKED),
    ("deflated_sharpe", {"trials": 11}, BLOCKED),
    ("deflated_sharpe", {"trials": 13}, PASS),
    ("drawdown_tolerance", {"metrics": metrics(max_drawdown=0.239)}, PASS),
    ("drawdown_tolerance", {"metrics": metrics(max_drawdown=0.241)}, FAIL),
    ("drawdown_tolerance", {"metrics": metrics(max_drawdown=NAN)}, BLOCKED),
    ("drawdown_tolerance", {"metrics": metrics(max_drawdown=-0.2)}, BLOCKED),
    ("probabilistic_sharpe", {"probabilistic_sharpe": 0.95}, PASS),
    ("probabilistic_sharpe", {"probabilistic_sharpe": 0.94}, FAIL),
    ("probabilistic_sharpe", {"probabilistic_sharpe": None}, BLOCKED),
    ("max_drawdown", {"metrics": metrics(max_drawdown=0.35)}, PASS),
    ("max_drawdown", {"metrics": metrics(max_drawdown=0.36)}, FAIL),
    ("max_drawdown", {"metrics": metrics(max_drawdown=None)}, BLOCKED),
    ("max_drawdown", {"metrics": metrics(max_drawdown=-0.1)}, BLOCKED),
    ("sessions", {"sessions": 1000}, PASS),
    ("sessions", {"sessions": 999}, FAIL),
]


@pytest.mark.parametrize(("rule", "changes", "expected"), SCORECARDS)
def test_scorecard_rules(rule, changes, expected, make):
    if "age" in changes:
        changes = {"created_at": make.now - changes["age"]}
    evidence = make.evidence(scorecards={make.pack: make.scorecard(**changes)})
    assert judge(rule, PARAMS.get(rule, {}), evidence, make).verdict == expected


@pytest.mark.parametrize("rule", OF_SCORECARDS)
def test_every_scorecard_rule_needs_a_scorecard_of_this_version_on_every_pack(rule, make):
    params = PARAMS.get(rule, {})
    card = make.scorecard()
    assert judge(rule, params, make.evidence(), make).verdict == PASS
    assert judge(rule, params, make.evidence(scorecards={}), make).verdict == BLOCKED
    assert judge(rule, params, make.evidence(), make, packs=()).verdict == BLOCKED
    assert judge(rule, params, make.evidence(), make, packs=(make.pack, "second")).verdict == BLOCKED
    both = make.evidence(scorecards={make.pack: card, "second": make.scorecard(pack_id="second")})
    assert judge(rule, params, both, make, packs=(make.pack, "second")).verdict == PASS
    other = make.evidence(scorecards={make.pack: make.scorecard(subject=make.incumbent)})
    assert judge(rule, params, other, make).verdict == BLOCKED
    mislaid = make.evidence(scorecards={make.pack: make.scorecard(pack_id="second")})
    assert judge(rule, params, mislaid, make).verdict == BLOCKED


@pytest.mark.parametrize("rule", COMPARING)
def test_every_comparison_is_with_the_version_that_is_active_now(rule, make):
    params = PARAMS.get(rule, {})
    for baseline in (None, make.incumbent.model_copy(update={"artifact_sha256": "c" * 64})):
        evidence = make.evidence(scorecards={make.pack: make.scorecard(baseline=baseline)})
        assert judge(rule, params, evidence, make).verdict == BLOCKED
    assert judge(rule, params, make.evidence(incumbent=None), make).verdict == BLOCKED


def test_one_bad_pack_is_enough(make):
    cards = {
        make.pack: make.scorecard(),
        "second": make.scorecard(pack_id="second", metrics=metrics(sharpe=0.8)),
    }
    verdict = judge(
        "delta_sharpe", {"at_least": 0.1}, make.evidence(scorecards=cards), make, packs=tuple(cards)
    )
    assert verdict.verdict == FAIL
    assert "bench_core_v1: +0.450" in verdict.found
    assert "second: +0.050" in verdict.found


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PASS),
        ({"verdict": "inconclusive", "p_value": 0.2}, OPEN),
        ({"verdict": "fail", "p_value": 0.99}, FAIL),
        ({"p_value": 0.051}, OPEN),
        ({"p_value": NAN}, BLOCKED),
        ({"estimate": NAN}, BLOCKED),
        ({"estimate": -0.1}, OPEN),
        ({"null": -0.5}, BLOCKED),
        ({"null": 0.1}, PASS),
        ({"alpha": 0.2, "p_value": 0.1}, BLOCKED),
        ({"alpha": 0.01}, PASS),
    ],
)
def test_only_a_test_that_says_better_passes(changes, expected, make):
    card = make.scorecard(differences={"sharpe": make.difference(**changes)})
    evidence = make.evidence(scorecards={make.pack: card})
    assert judge("sharpe_significant", {"alpha": 0.05}, evidence, make).verdict == expected


def test_trials_cannot_be_judged_without_the_training_record(make):
    assert judge("deflated_sharpe", {"at_least": 0.95}, make.evidence(artifact=None), make).verdict == BLOCKED


SHADOW_PARAMS = {
    "shadow_duration": {"at_least_days": 7},
    "shadow_decisions": {"at_least": 100, "max_unpaired_share": 0.01},
    "shadow_parity": {"max_abs_diff": 1e-9},
    "shadow_agreement": {"max_abs_diff": 1e-9, "max_timeout_share": 0.01},
    "shadow_not_inferior": {"margin": 0.05},
    "shadow_after_training": {},
}


def span(days):
    start = datetime(2022, 1, 3, tzinfo=UTC)
    return {"start": start, "end": start + timedelta(days=days), "calendar_days": days}


def interval(low, high, level=0.95):
    return {"loss_interval": Interval(low=low, high=high, level=level)}


def silent(timeouts, *, of):
    """Change a report into one of so many events, of which so many found the model silent."""
    side = SideFigures(**dict.fromkeys(SideFigures.model_fields, 0) | {"limit_breaches": {}})
    figures = dict.fromkeys(ShadowFigures.model_fields, 0) | {
        "source": "features",
        "calendar": "XNYS",
        "counted_from": "2022-01-03",
        "beside": {},
        "active": None,
        "candidate": side,
        "events": of,
        "timeouts": timeouts,
    }
    return {"figures": ShadowFigures(**figures), "errors": timeouts or 0}


SHADOW = [
    ("shadow_duration", span(7), PASS),
    ("shadow_duration", span(6), FAIL),
    ("shadow_duration", span(6) | {"calendar_days": 300}, FAIL),
    ("shadow_duration", span(300) | {"calendar_days": 6}, FAIL),
    ("shadow_decisions", {"paired_decisions": 100}, PASS),
    ("shadow_decisions", {"paired_decisions": 99}, FAIL),
    ("shadow_decisions", {"paired_decisions": 990, "unpaired": 10}, PASS),
    ("shadow_decisions", {"paired_decisions": 989, "unpaired": 11}, FAIL),
    ("shadow_parity", {"parity_max_abs_diff": 1e-9}, PASS),
    ("shadow_parity", {"parity_max_abs_diff": 1.1e-9}, FAIL),
    ("shadow_parity", {"parity_max_abs_diff": NAN}, BLOCKED),
    ("shadow_parity", {"parity_max_abs_diff": -1.0}, BLOCKED),
    ("shadow_parity", {"nan_predictions": 1}, FAIL),
    ("shadow_parity", {"errors": 1}, FAIL),
    ("shadow_agreement", silent(10, of=1000), PASS),
    ("shadow_agreement", silent(11, of=1000), FAIL),
    ("shadow_agreement", silent(10, of=1000) | {"errors": 11}, FAIL),
    ("shadow_agreement", silent(None, of=1000) | {"errors": 1}, FAIL),
    ("shadow_agreement", {"errors": 1}, FAIL),
    ("shadow_parity", silent(1, of=1000), FAIL),
    ("shadow_agreement", {"nan_predictions": 1}, FAIL),
    ("shadow_agreement", {"parity_max_abs_diff": 1.1e-9}, FAIL),
    ("shadow_agreement", {"parity_max_abs_diff": NAN}, BLOCKED),
    ("shadow_not_inferior", interval(-0.2, 0.05), PASS),
    ("shadow_not_inferior", interval(-0.2, 0.051), OPEN),
    ("shadow_not_inferior", interval(0.051, 0.2), FAIL),
    ("shadow_not_inferior", interval(NAN, 0.0), BLOCKED),
    ("shadow_not_inferior", interval(-0.1, NAN), BLOCKED),
    ("shadow_not_inferior", interval(0.1, 0.0), BLOCKED),
    ("shadow_not_inferior", interval(-0.1, 0.0, level=0.5), BLOCKED),
    ("shadow_not_inferior", interval(-0.1, 0.0, level=NAN), BLOCKED),
    ("shadow_not_inferior", {"loss_interval": None}, BLOCKED),
    ("shadow_after_training", {"start": datetime(2022, 1, 1, tzinfo=UTC)}, PASS),
    ("shadow_after_training", {"start": datetime(2021, 12, 31, tzinfo=UTC)}, FAIL),
    ("shadow_after_training", {"start": datetime(2019, 1, 1, tzinfo=UTC)}, FAIL),
]


@pytest.mark.parametrize(("rule", "changes", "expected"), SHADOW)
def test_shadow_rules(rule, changes, expected, make):
    evidence = make.evidence(shadow=make.shadow(**changes))
    assert judge(rule, SHADOW_PARAMS[rule], evidence, make).verdict == expected


@pytest.mark.parametrize("rule", SHADOW_PARAMS)
def test_every_shadow_rule_needs_a_report_of_this_version_beside_the_active_one(rule, make):
    params = SHADOW_PARAMS[rule]
    assert judge(rule, params, make.evidence(), make).verdict == PASS
    bad = [
        {"shadow": None},
        {"shadow": make.shadow(subject=make.incumbent)},
        {"shadow": make.shadow(active=None)},
        {"incumbent": None},
        {"shadow": make.shadow(created_at=make.now + timedelta(days=1))},
        {"shadow": make.shadow(end=make.now + timedelta(days=1))},
    ]
    for changes in bad:
        assert judge(rule, params, make.evidence(**changes), make).verdict == BLOCKED


def test_the_first_model_is_counted_by_its_own_decisions(make):
    for decisions, expected in ((100, PASS), (99, FAIL)):
        report = make.shadow(active=None, decisions=decisions, paired_decisions=0)
        evidence = make.evidence(incumbent=None, shadow=report)
        assert (
            judge("shadow_decisions", SHADOW_PARAMS["shadow_decisions"], evidence, make).verdict == expected
        )


def test_when_training_ended_must_be_known(make):
    for changes, expected in (
        ({"artifact": None}, BLOCKED),
        ({"artifact": make.artifact(trained_until=None)}, BLOCKED),
        ({"artifact": make.artifact(trained_until="some day")}, BLOCKED),
        ({"artifact": make.artifact(trained_until="2018-12-31T00:00:00Z")}, PASS),
    ):
        assert judge("shadow_after_training", {}, make.evidence(**changes), make).verdict == expected
    assert judge("shadow_after_training", {}, declared(make), make).verdict == PASS


def test_a_shadow_run_must_lie_after_every_pack(make):
    for end, expected in ((date(2021, 12, 31), PASS), (date(2022, 6, 30), FAIL), (None, BLOCKED)):
        evidence = make.evidence(scorecards={make.pack: make.scorecard(pack_end=end)})
        assert judge("shadow_after_training", {}, evidence, make).verdict == expected


def test_trials_of_earlier_versions_count(make):
    card = make.scorecard(trials=20)
    for earlier, expected in ((8, PASS), (9, BLOCKED)):
        evidence = make.evidence(scorecards={make.pack: card}, earlier_trials=earlier)
        assert judge("deflated_sharpe", {"at_least": 0.95}, evidence, make).verdict == expected


ONE = {"count": 1, "max_age_days": 30}
APPROVALS = [
    ({}, PASS),
    ({"approver": "head-of-desk"}, PASS),
    ({"target": State.SHADOW}, FAIL),
    ({"evidence_hash": "e" * 64}, FAIL),
    ({"approver": "researcher"}, FAIL),
    ({"approver": "Researcher "}, FAIL),
    ({"approver": "learn-service"}, FAIL),
    ({"answer": "refuse"}, FAIL),
    ({"given": timedelta(days=31)}, FAIL),
    ({"given": timedelta(days=29)}, PASS),
    ({"given": timedelta(minutes=-10)}, FAIL),
    ({"expires": timedelta(0)}, FAIL),
    ({"expires": timedelta(seconds=1)}, PASS),
]


def times(changes, make):
    changes = dict(changes)
    if "given" in changes:
        changes["given_at"] = make.now - changes.pop("given")
    if "expires" in changes:
        changes["expires_at"] = make.now + changes.pop("expires")
    return changes


@pytest.mark.parametrize(("changes", "expected"), APPROVALS)
def test_approvals(changes, expected, make):
    evidence = make.approved(make.evidence(), **times(changes, make))
    verdict = judge("approvals", ONE, evidence, make)
    assert verdict.verdict == expected
    assert verdict.code == ("" if expected == PASS else ApprovalMissing.code)


def test_the_trainer_by_record_may_not_approve_either(make):
    evidence = make.evidence(artifact=make.artifact(trainer="model-risk"))
    assert judge("approvals", ONE, make.approved(evidence), make).verdict == FAIL


def test_who_trained_it_must_be_known(make):
    evidence = make.evidence(artifact=make.artifact(trainer=""), trained_by="")
    assert judge("approvals", ONE, make.approved(evidence), make).verdict == BLOCKED


def test_two_approvals_need_two_people(make):
    evidence = make.evidence()
    bound_to = evidence_hash(evidence)
    first, second = make.approval(bound_to), make.approval(bound_to, approver="head-of-desk")
    two = {"count": 2, "max_age_days": 30}
    for approvals, expected in (((first,), FAIL), ((first, first), FAIL), ((first, second), PASS)):
        assert judge("approvals", two, make.evidence(approvals=approvals), make).verdict == expected
    same = make.approval(bound_to, approver="Model-Risk")
    assert judge("approvals", two, make.evidence(approvals=(first, same)), make).verdict == FAIL


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"evidence_hash": "e" * 64},
        {"approver": "researcher"},
        {"expires": timedelta(days=-1)},
        {"target": State.SHADOW},
    ],
)
def test_a_standing_refusal_blocks_whatever_else_is_there(changes, make):
    evidence = make.evidence()
    yes = make.approval(evidence_hash(evidence))
    no = make.approval(evidence_hash(evidence), approver="head-of-desk", answer="refuse")
    no = no.model_copy(update=times(changes, make))
    verdict = judge("approvals", ONE, make.evidence(approvals=(yes, no)), make)
    assert verdict.verdict == FAIL
    assert "refused by" in verdict.found


def test_a_refusal_of_active_does_not_block_shadow(make):
    no = make.approval("e" * 64, answer="refuse")
    none = {"count": 0, "max_age_days": 30}
    evidence = make.evidence(approvals=(no,))
    assert judge("approvals", none, evidence, make, to_state=State.SHADOW).verdict == PASS
    assert judge("approvals", none, evidence, make, to_state=State.ACTIVE).verdict == FAIL


def test_codes_say_which_kind_of_refusal():
    assert RULES["approvals"].code == ApprovalMissing.code
    assert RULES["no_drift_breach"].code == DriftBreach.code
    others = set(RULES) - {"approvals", "no_drift_breach"}
    assert {RULES[name].code for name in others} == {GateFailed.code}


@pytest.mark.parametrize("rule", sorted(RULES))
def test_parameters_that_cannot_be_read_close_the_rule(rule, make):
    verdict = judge(rule, {"surprise": 1}, make.evidence(), make)
    assert verdict.verdict == BLOCKED
    assert "could not be evaluated" in verdict.found
