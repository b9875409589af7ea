"""Orders of a response policy: a rollback that happens once, its cool-down, and what blocks a promotion."""

from __future__ import annotations

import itertools
import json
import os
import signal
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.alerts import Context, Sighting, load_response_policy, raise_alert, resolve
from ordinis_learn.records import Actor, AlertChanges, CoolDownLift, ModelType, Role, RollbackOrder
from ordinis_learn.rollout.tags import LIFT_TAG
from ordinis_learn.settings import load_settings
from ordinis_learn.use_cases.respond import carry_out_orders
from ordinis_mlflow.registry import MlflowModelRegistry
from ordinis_registry import SqlAlertBook

MODEL = "sp500_signal"
POLICY = load_response_policy("response_rollback_v1")
MONITOR = Actor(name="monitor", kind="claimed")


def bench_of(desk):
    """The part of a workbench that orders need, over the desk's database."""
    registry = MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database, clock=desk.clock
    )
    registry._client._client._get_registry_client().store._clock = desk.clock  # else it has the system's
    settings = load_settings(
        home=desk.home,
        actor="monitor",
        learn_response_policy="response_rollback_v1",
        learn_alert_url="http://127.0.0.1:1/",
    )
    return SimpleNamespace(
        alerts=SqlAlertBook(desk.database, clock=desk.clock),
        registry=registry,
        ledger=desk.ledger,
        clock=desk.clock,
        settings=settings,
    )


def breach(desk, version, *, metric="sharpe_decline", source="w1"):
    """Let a check of a version find that it lost its edge; return the alert."""
    context = Context(policy=POLICY, now=desk.clock(), by="monitor", is_told=True)
    seen = Sighting(
        kind="drift",
        subject=MODEL,
        version=version,
        metric=metric,
        features=("outcome",),
        severity="critical",
        summary="lost its edge",
        source=source,
        model_type=ModelType.SIGNAL_MODEL,
    )
    book = SqlAlertBook(desk.database, clock=desk.clock)
    changes = book.change(MODEL, lambda standing: raise_alert(standing, seen, context=context), actor=MONITOR)
    return changes.alerts[0]


def two_versions(desk):
    first = desk.register()
    desk.promote(first)
    second = desk.register()
    desk.promote(second)
    return first, second


def test_an_order_rolls_back_once_and_everything_says_why(desk):
    first, second = two_versions(desk)
    alert = breach(desk, second)
    bench = bench_of(desk)
    ticks = itertools.count()
    (done,) = carry_out_orders(bench, seconds=lambda: float(next(ticks)))
    assert (done.outcome, done.seconds) == (f"rolled back to v{first}", 1.0)
    assert desk.active() == first
    assert carry_out_orders(bench) == []
    history = {record.action: record.body for record in desk.ledger.history(MODEL)}
    assert history["rolled_back"]["order"]["alert_id"] == alert.alert_id
    assert history["rolled_back"]["order"]["policy_hash"] == POLICY.policy_hash
    assert history["response.completed"]["seconds"] == 1.0
    assert desk.actions().count("rolled_back") == 1
    assert desk.ledger.verify() == []


def test_nothing_is_promoted_and_no_order_rolls_back_until_it_has_cooled_down(desk):
    first, second = two_versions(desk)
    breach(desk, second)
    bench = bench_of(desk)
    carry_out_orders(bench)
    third = desk.register()
    desk.attest(third)
    desk.move(third, "shadow")
    desk.approve(third)
    with pytest.raises(MlflowException, match=r"E_LEARN_COOL_DOWN.*cooling down until"):
        desk.move(third, "active")
    breach(desk, first, source="w2")
    assert carry_out_orders(bench) == carry_out_orders(bench) == []
    assert "cooling down until" in waiting(bench)
    assert desk.actions().count("response.deferred") == 1
    assert desk.active() == first
    assert desk.store.roll_back(MODEL, reason="a person may", from_version="9") == first
    desk.clock.advance(hours=73)
    desk.move(third, "active")
    assert desk.active() == third
    (moot,) = carry_out_orders(bench)
    assert moot.outcome == f"nothing to do: v{third} is active, not v{first}"


def waiting(bench):
    """Why the one order to roll back that waits does."""
    (found,) = [one for one in bench.alerts.responses(pending=True) if one.action == "roll_back"]
    return found.outcome


def cooling(desk):
    """Roll the third version back to the second by an order, and let another order wait; return bench and its alert."""
    desk.promote(desk.register())
    two_versions(desk)
    bench = bench_of(desk)
    breach(desk, "3")
    carry_out_orders(bench)
    alert = breach(desk, "2", source="w2")
    assert carry_out_orders(bench) == []
    return bench, alert


def test_an_order_that_waited_is_carried_out_after_the_cool_down(desk):
    bench, _ = cooling(desk)
    desk.clock.advance(hours=73)
    (done,) = carry_out_orders(bench)
    assert done.outcome == "rolled back to v1"
    assert desk.active() == "1"
    assert desk.actions().count("response.completed") == 2
    assert desk.ledger.verify() == []


def test_an_order_whose_alert_was_closed_while_it_waited_is_moot(desk):
    bench, alert = cooling(desk)
    context = Context(policy=POLICY, now=desk.clock(), by="monitor")
    bench.alerts.change(
        MODEL,
        lambda standing: resolve(standing, "drift", why="clean", context=context, version=alert.version),
        actor=MONITOR,
    )
    desk.clock.advance(hours=73)
    (done,) = carry_out_orders(bench)
    assert done.outcome == "nothing to do: the alert was closed while the order waited"
    assert desk.active() == "2"


FORGED = {
    "unknown": ({"response_id": "1" * 64}, "no response policy gave an order of this id here"),
    "alert": ({"alert_id": "a"}, "another alert"),
    "policy": ({"policy_hash": "2" * 64}, "another response policy"),
}


@pytest.mark.parametrize("forged", FORGED)
def test_an_order_that_nobody_gave_is_refused_and_recorded(desk, forged):
    changes, found = FORGED[forged]
    _, second = two_versions(desk)
    breach(desk, second)
    refused_order(desk, changes, found=found)
    assert desk.active() == second
    (record,) = [one for one in desk.ledger.history(MODEL) if one.action == "rollback.refused"]
    assert found in record.body["found"]
    desk.promote(desk.register())  # no cool-down came of it
    assert desk.ledger.verify() == []


def refused_order(desk, changes, *, found, action="roll_back", name=MODEL):
    """Ask as anybody may who can tag a model, with the longest cool-down there ever was."""
    from mlflow.entities.model_registry import RegisteredModelTag

    book = SqlAlertBook(desk.database, clock=desk.clock)
    both = (*book.responses(pending=True), *book.responses(pending=False))
    (given,) = [one for one in both if one.action == action]
    order = RollbackOrder.of(given).to_json() | changes
    value = json.dumps({"reason": "x", "order": order, "cool_down_hours": 2160})
    with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED") as caught:
        desk.store.set_registered_model_tag(name, RegisteredModelTag("ordinis.request.rollback", value))
    assert caught.value.get_http_status_code() == 403
    assert found in caught.value.message
    assert "ordinis-learn rollback" in caught.value.message


def test_an_order_is_for_its_own_model_its_own_action_and_once(desk):
    _, second = two_versions(desk)
    desk.promote(desk.register(name="other"), name="other")
    breach(desk, second)
    refused_order(desk, {}, found=f"it was given for {MODEL}", name="other")
    refused_order(desk, {}, found="it is an order to request_retrain", action="request_retrain")
    bench = bench_of(desk)
    (pending,) = [one for one in bench.alerts.responses(pending=True) if one.action == "roll_back"]
    ended = pending.model_copy(update={"status": "done", "outcome": "refused: x"})
    bench.alerts.finish(ended, lambda _: AlertChanges(), actor=MONITOR)
    refused_order(desk, {}, found="it is done: refused: x")
    assert (desk.active(), desk.active("other")) == (second, "1")


def test_version_and_cool_down_are_the_order_s_whatever_the_request_says(desk):
    from mlflow.entities.model_registry import RegisteredModelTag

    first, second = two_versions(desk)
    breach(desk, second)
    (given,) = [one for one in bench_of(desk).alerts.responses(pending=True) if one.action == "roll_back"]
    request = {"reason": "x", "from_version": first, "cool_down_hours": 2160}
    value = json.dumps(request | {"order": RollbackOrder.of(given).to_json()})
    desk.store.set_registered_model_tag(MODEL, RegisteredModelTag("ordinis.request.rollback", value))
    assert desk.active() == first
    (record,) = [one for one in desk.ledger.history(MODEL) if one.action == "rolled_back"]
    assert record.body["cool_down_until"] == (desk.clock() + timedelta(hours=72)).isoformat()


def test_a_person_s_rollback_sets_no_cool_down(desk):
    first, _ = two_versions(desk)
    assert bench_of(desk).registry.roll_back(MODEL, reason="x") == first
    third = desk.register()
    desk.promote(third)
    assert desk.active() == third


def lift(desk, *, by, version="2", rollback=None, **changes):
    """Sign for lifting the cool-down that runs, and submit it to the version that was rolled back."""
    records = [one for one in desk.ledger.history(MODEL) if one.action == "rolled_back"]
    fields = {
        "subject": desk.reference(version),
        "rollback": rollback or records[-1].hash,
        "reason": "the feed is mended",
        "lifted_by": by,
        "lifted_at": desk.clock(),
    }
    desk.tag(version, LIFT_TAG, desk.sign("lift", CoolDownLift(**fields | changes), by=by))


@pytest.fixture
def cooled(desk):
    """A desk with a second approver whose second version was rolled back by an order, and a third that would be promoted."""
    desk.add("second-risk", Role.APPROVER)
    _, second = two_versions(desk)
    breach(desk, second)
    carry_out_orders(bench_of(desk))
    third = desk.register()
    desk.attest(third)
    desk.move(third, "shadow")
    desk.approve(third)
    return desk


def refused(desk, found=""):
    with pytest.raises(MlflowException, match=f"(?s)E_LEARN_COOL_DOWN.*{found}"):
        desk.move("3", "active")
    return True


def test_two_approvers_lift_a_cool_down_and_the_ledger_says_who_and_why(cooled):
    lift(cooled, by="model-risk")
    lift(cooled, by="model-risk")
    assert refused(cooled, "1 of 2 signed")
    lift(cooled, by="second-risk")
    cooled.move("3", "active")
    assert cooled.active() == "3"
    signed = [one.body for one in cooled.ledger.history(MODEL) if one.action == "cool_down.lift_signed"]
    assert [(one["signer"], one["reason"]) for one in signed] == [
        ("model-risk", "the feed is mended"),
        ("second-risk", "the feed is mended"),
    ]
    assert LIFT_TAG not in cooled.store.get_model_version(MODEL, "2").tags
    assert cooled.ledger.verify() == []


def test_who_asks_for_the_promotion_does_not_lift_the_cool_down_for_it(cooled, monkeypatch):
    lift(cooled, by="model-risk")
    lift(cooled, by="second-risk")
    monkeypatch.setenv("ORDINIS_ACTOR", "Second-Risk")
    assert refused(cooled)


def test_a_signature_counts_no_more_once_its_key_is_revoked(cooled):
    lift(cooled, by="model-risk")
    lift(cooled, by="second-risk")
    cooled.book.revoke("second-risk", actor=MONITOR, reason="left")
    assert refused(cooled, "1 of 2 signed")


def test_a_lift_is_about_one_rollback_of_one_version_by_an_approver(cooled):
    cases = [
        ({"by": "learn-service"}, "needs approver"),
        ({"by": "model-risk", "rollback": "3" * 64}, "not cooling down from that rollback"),
        ({"by": "model-risk", "version": "1"}, "not cooling down from that rollback"),
        ({"by": "model-risk", "lifted_by": "second-risk"}, "in the name of"),
    ]
    for changes, found in cases:
        with pytest.raises(MlflowException, match="E_LEARN_EVIDENCE_INVALID") as caught:
            lift(cooled, **changes)
        assert found in caught.value.message
        assert caught.value.get_http_status_code() == 403
    approval = cooled.sign("approval", cooled.approval("2"), by="model-risk")
    with pytest.raises(MlflowException, match="not a lift"):
        cooled.tag("2", LIFT_TAG, approval)
    assert cooled.actions().count("cool_down.lift_refused") == len(cases) + 1
    assert "cool_down.lift_signed" not in cooled.actions()
    assert refused(cooled)


def test_a_lift_frees_the_order_that_waits(desk):
    desk.add("second-risk", Role.APPROVER)
    bench, _ = cooling(desk)
    for by in ("model-risk", "second-risk"):
        lift(desk, by=by, version="3")
    (done,) = carry_out_orders(bench)
    assert (done.outcome, desk.active()) == ("rolled back to v1", "1")


def test_without_a_last_known_good_it_goes_flat_loudly(desk, caplog):
    only = desk.register()
    desk.promote(only)
    breach(desk, only)
    bench = bench_of(desk)
    (done,) = carry_out_orders(bench)
    assert "flat" in done.outcome
    assert desk.active() is None
    (flat,) = [alert for alert in bench.alerts.alerts() if alert.kind == "flat"]
    assert flat.severity == "critical"
    assert "FLAT" in caplog.text
    assert any(delivery.alert_id == flat.alert_id for delivery in bench.alerts.deliveries())


def test_a_last_known_good_whose_bytes_changed_is_not_gone_back_to(desk):
    first, second = two_versions(desk)
    (desk.address(first) / "data" / "bundle" / "model.json").write_text("changed")
    breach(desk, second)
    (done,) = carry_out_orders(bench_of(desk))
    assert "flat" in done.outcome
    unfit = [record.body["unfit"] for record in desk.ledger.history(MODEL) if record.action == "rolled_back"]
    assert unfit == [[{"version": first, "why": "its bytes are not what was registered"}]]


def test_an_order_about_a_version_that_is_active_no_more_does_nothing(desk):
    first, second = two_versions(desk)
    breach(desk, first)
    (done,) = carry_out_orders(bench_of(desk))
    assert done.outcome == f"nothing to do: v{second} is active, not v{first}"
    assert desk.active() == second


def test_an_open_alert_that_blocks_keeps_its_version_from_active_and_no_other(desk):
    desk.promote(desk.register())
    second = desk.register()
    desk.attest(second)
    desk.move(second, "shadow")
    desk.approve(second)
    alert = breach(desk, second, metric="psi")
    assert alert.blocks
    with pytest.raises(MlflowException, match="no_drift_breach"):
        desk.move(second, "active")
    context = Context(policy=POLICY, now=desk.clock(), by="monitor")
    SqlAlertBook(desk.database, clock=desk.clock).change(
        MODEL, lambda standing: resolve(standing, "drift", why="clean", context=context), actor=MONITOR
    )
    desk.move(second, "active")
    assert desk.active() == second


@pytest.mark.parametrize(
    "value",
    [
        '{"reason": "x", "cool_down_hours": -1}',
        '{"reason": "x", "cool_down_hours": 1e9}',
        '{"reason": "x", "cool_down_hours": "long"}',
        '{"reason": "x", "cool_down_hours": 1}',
        '{"reason": "x", "order": {"alert_id": "a"}}',
    ],
)
def test_a_request_that_says_nonsense_is_refused(desk, value):
    from mlflow.entities.model_registry import RegisteredModelTag

    first = desk.register()
    desk.promote(first)
    with pytest.raises(MlflowException, match="E_CFG_INVALID"):
        desk.store.set_registered_model_tag(MODEL, RegisteredModelTag("ordinis.request.rollback", value))
    assert desk.active() == first


def carry_out_and_die(desk, step):
    """Carry out the orders in a process that is killed before its ``step``-th statement or commit; tell if it lived."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    desk.database.close()
    desk.store.engine.dispose()
    pid = os.fork()
    if pid == 0:
        try:
            SqlAlchemyStore._engine_map.clear()  # a forked process must not use its parent's connections
            count = itertools.count(1)

            def tick(*_):
                if next(count) == step:
                    os.kill(os.getpid(), signal.SIGKILL)

            own = type(desk)(desk.home, clock=desk.clock, url=desk.url)
            sa.event.listen(sa.engine.Engine, "before_cursor_execute", tick)
            sa.event.listen(sa.engine.Engine, "commit", tick)
            carry_out_orders(bench_of(own))
            os._exit(0)
        except BaseException:  # noqa: BLE001  nothing of a child may reach the test runner
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) in {0, -signal.SIGKILL}
    return os.waitstatus_to_exitcode(status) == 0


def goes_on(desk, first):
    bench = bench_of(desk)
    carry_out_orders(bench)
    assert desk.active() == first
    assert bench.alerts.responses(pending=True)[0].action == "request_retrain"
    assert [one.outcome for one in bench.alerts.responses(pending=False) if one.action == "roll_back"] == [
        f"rolled back to v{first}"
    ]
    for action in ("rolled_back", "response.completed"):
        assert desk.actions().count(action) == 1
    topics = [event["topic"] for event in desk.catalogue.pending_events()]
    assert topics.count("ordinis.learn.rollback.completed") == 1
    assert desk.ledger.verify() == []


@pytest.mark.parametrize("step", [1, 25, 45, 60])
def test_killed_while_it_carries_out_an_order(desk, step):
    first, second = two_versions(desk)
    breach(desk, second)
    assert not carry_out_and_die(desk, step)
    goes_on(desk, first)


@pytest.mark.slow
def test_killed_at_every_third_statement_while_it_carries_out_an_order_on_postgresql(postgres, make_desk):
    desk = make_desk(url=postgres)
    first, second = two_versions(desk)
    breach(desk, second)
    desk.close()
    url = sa.make_url(postgres)
    admin = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    lived, step = False, 1
    while not lived:
        name = f"{url.database}_{step}"
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {url.database}")
        try:
            copy = url.set(database=name).render_as_string(hide_password=False)
            own = type(desk)(desk.home, clock=desk.clock, url=copy)
            lived = carry_out_and_die(own, step)
            goes_on(own, first)
            own.close()
        finally:
            with admin.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
        step += 3
    admin.dispose()
    assert step > 40


@pytest.mark.slow
def test_killed_at_every_third_statement_while_it_carries_out_an_order(desk, desk_class):
    import shutil

    first, second = two_versions(desk)
    breach(desk, second)
    with desk.store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    desk.close()
    for step in itertools.count(1, 3):
        path = desk.home / f"copy-{step}.db"
        shutil.copyfile(desk.home / "ordinis.db", path)
        own = desk_class(desk.home, clock=desk.clock, url=f"sqlite:///{path}")
        lived = carry_out_and_die(own, step)
        goes_on(own, first)
        own.close()
        if lived:
            break
    assert step > 40
