"""The life of an alert, from pure functions alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.alerts import (
    DriftSighting,
    Sighting,
    acknowledge,
    escalate,
    load_response_policy,
    on_drift_check,
    persists,
    raise_alert,
    resolve,
)
from ordinis_learn.drift import alerts_for
from ordinis_learn.records import DriftFinding, DriftReport, ModelType

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)
SEEN = Sighting(
    kind="drift", subject="m", version="2", severity="warning", summary="s", source="a", metric="psi"
)


def report(day, **severities):
    """A report of one day; severities by ``metric__feature``."""
    findings = tuple(
        DriftFinding(
            feature=key.split("__")[1],
            metric=key.split("__")[0],
            value=0.4,
            threshold=0.1,
            p_value=0.001,
            q_value=0.001,
            severity=severity,
        )
        for key, severity in severities.items()
    )
    at = NOW + timedelta(days=day)
    return DriftReport(
        model="m",
        version="2",
        dataset_ref="core@1",
        start=at,
        end=at,
        reference_rows=1,
        current_rows=1,
        alpha=0.05,
        findings=findings,
        breached=bool(set(severities.values()) & {"warning", "critical"}),
        created_at=at,
    )


class Book:
    """Days in order, folded as a book would."""

    def __init__(self, context):
        self.context = context
        self.open = {}
        self.reports = []
        self.changes = None

    def day(self, number, *, daily=True, **severities):
        found = report(number, **severities)
        seen = DriftSighting(
            report=found,
            raised=alerts_for(found),
            identity=f"day{number}",
            history=tuple(self.reports),
            daily=daily,
            model_type=ModelType.SIGNAL_MODEL,
        )
        self.changes = on_drift_check(list(self.open.values()), seen, context=self.context())
        self.reports.append(found)
        for alert in self.changes.alerts:
            self.open[alert.alert_id] = alert
            if not alert.is_open:
                del self.open[alert.alert_id]
        return [fact.what for fact in self.changes.facts]


@pytest.fixture
def book(context):
    return Book(context)


def test_a_warning_must_persist_and_a_critical_finding_speaks_at_once(book):
    assert book.day(0, psi__vol="warning") == []
    assert book.day(1) == []
    assert book.day(2, psi__vol="warning") == ["opened"]
    assert book.day(3, psi__vol="warning", ks__ret="critical") == ["opened", "repeated"]
    (blocking,) = [alert for alert in book.open.values() if alert.blocks]
    assert (blocking.metric, blocking.features, blocking.severity) == ("ks", ("ret",), "critical")


def test_a_span_chosen_by_hand_speaks_for_itself(book):
    assert book.day(0, daily=False, psi__vol="warning") == ["opened"]


def test_the_same_again_is_counted_and_told_once_and_other_features_are_news(book):
    book.day(0, psi__vol="critical", psi__ret="critical")
    told = [alert.alert_id for alert in book.changes.drift_alerts]
    assert len(told) == 1
    assert book.day(1, psi__vol="critical") == ["repeated"]
    assert book.changes.drift_alerts == ()
    assert book.changes.deliveries == ()
    assert book.day(2, psi__vol="critical", psi__z="critical") == ["repeated", "opened"]
    assert book.changes.drift_alerts[0].alert_id not in told
    assert [alert.features for alert in book.open.values()] == [("ret", "vol"), ("z",)]


def test_three_clean_days_close_it_and_a_breach_between_starts_again(book):
    book.day(0, psi__vol="critical")
    assert [book.day(day) for day in (1, 2)] == [["clean"], ["clean"]]
    assert book.day(3, psi__vol="warning") == ["repeated"]
    assert [book.day(day) for day in (4, 5, 6)] == [["clean"], ["clean"], ["closed"]]
    assert not book.open
    assert book.day(7, psi__vol="critical") == ["opened"]


def test_another_version_s_alerts_are_left_alone(book):
    book.day(0, psi__vol="critical")
    other = report(1).model_copy(update={"version": "3"})
    seen = DriftSighting(report=other, raised=(), identity="x", history=(), daily=True)
    assert on_drift_check(list(book.open.values()), seen, context=book.context()).alerts == ()


def test_what_was_counted_is_not_counted_again(context):
    opened = raise_alert([], SEEN, context=context())
    (alert,) = opened.alerts
    assert raise_alert([alert], SEEN, context=context()).alerts == ()
    (again,) = raise_alert([alert], replace(SEEN, source="b"), context=context()).alerts
    assert (again.repeats, again.alert_id) == (2, alert.alert_id)


def test_the_policy_orders_each_action_once_with_its_hash(context):
    policy = load_response_policy("response_rollback_v1")
    seen = replace(SEEN, metric="sharpe_decline", severity="critical", model_type=ModelType.SIGNAL_MODEL)
    opened = raise_alert([], seen, context=context(policy=policy))
    assert [one.action for one in opened.responses] == ["block_promotions", "roll_back", "request_retrain"]
    assert {one.policy_hash for one in opened.responses} == {policy.policy_hash}
    assert [note.action for note in opened.notes] == ["response.ordered"] * 3
    again = raise_alert(opened.alerts, replace(seen, source="b"), context=context(policy=policy))
    assert again.responses == ()
    assert raise_alert([], replace(seen, subject="*"), context=context(policy=policy)).responses == ()


def test_what_nobody_acknowledges_rises_by_time_and_by_repeats(context, clock):
    (alert,) = raise_alert([], SEEN, context=context()).alerts
    clock.advance(hours=23)
    assert escalate([alert], context=context()).alerts == ()
    clock.advance(hours=1)
    raised = escalate([alert], context=context())
    (critical,) = raised.alerts
    assert (critical.severity, critical.escalations) == ("critical", 1)
    assert [delivery.route for delivery in raised.deliveries] == ["escalation"]
    assert escalate([critical], context=context()).alerts == ()
    clock.advance(hours=24)
    assert escalate([critical], context=context()).alerts[0].escalations == 2
    often = alert.model_copy(update={"repeats": 4, "opened_at": clock()})
    assert escalate([often], context=context()).alerts[0].severity == "critical"


def test_an_acknowledged_alert_rests_until_it_grows_worse(context, clock):
    (alert,) = raise_alert([], SEEN, context=context()).alerts
    done = acknowledge(alert, comment="mine", context=context(by="ada"))
    (known,) = done.alerts
    assert (known.status, known.acknowledged_by, done.notes[0].body["reason"]) == (
        "acknowledged",
        "ada",
        "mine",
    )
    clock.advance(days=9)
    assert escalate([known], context=context()).alerts == ()
    assert (
        raise_alert([known], replace(SEEN, source="b"), context=context()).alerts[0].status == "acknowledged"
    )
    worse = replace(SEEN, source="c", severity="critical")
    assert raise_alert([known], worse, context=context()).alerts[0].status == "open"


def test_resolving_closes_the_kind_and_frees_what_it_blocked(context):
    (alert,) = raise_alert([], replace(SEEN, severity="critical"), context=context()).alerts
    assert resolve([alert], "flat", why="x", context=context()).alerts == ()
    assert resolve([alert], "drift", why="x", version="3", context=context()).alerts == ()
    (closed,) = resolve([alert], "drift", why="x", version="2", context=context()).alerts
    assert (closed.status, closed.blocks) == ("closed", False)


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 6), st.integers(0, 6))
def test_persistence_asks_for_today_and_k_of_n(breached, k, more):
    found = persists(breached, k=k, n=k + more)
    assert found == (bool(breached) and breached[-1] and sum(breached[-(k + more) :]) >= k)
    if found:
        assert persists([*breached, True], k=k, n=k + more)


@given(st.lists(st.sampled_from(["none", "info", "warning", "critical"]), min_size=1, max_size=20))
def test_any_course_of_days_leaves_at_most_one_open_alert_per_metric_and_feature(days):
    from ordinis_learn.alerts import Context

    policy = load_response_policy()
    book = Book(lambda: Context(policy=policy, now=NOW, by="monitor"))
    for number, severity in enumerate(days):
        book.day(number, psi__vol=severity)
        assert len(book.open) <= 1
    if "critical" in days[-3:]:
        assert book.open


@pytest.mark.parametrize(("k", "n"), [(0, 1), (2, 1)])
def test_impossible_persistence_is_refused(k, n):
    with pytest.raises(ValueError, match="between 1 and n"):
        persists([True], k=k, n=n)
