"""Orders of a response policy: a rollback that happens once, its cool-down, and what blocks a promotion."""

from __future__ import annotations

import itertools
import os
import signal
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.alerts import Context, Sighting, load_response_policy, raise_alert, resolve
from ordinis_learn.errors import RolloutDenied
from ordinis_learn.records import Actor, ModelType
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
    (refused,) = carry_out_orders(bench)
    assert "cooling down" in refused.outcome
    assert desk.active() == first
    assert desk.store.roll_back(MODEL, reason="a person may", from_version="9") == first
    desk.clock.advance(hours=73)  # the client in this process has the system's clock
    desk.move(third, "active")
    assert desk.active() == third


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


def test_a_person_may_ask_for_a_cool_down_too(desk):
    first, _ = two_versions(desk)
    registry = bench_of(desk).registry
    assert registry.roll_back(MODEL, reason="x", cool_down_hours=1) == first
    with pytest.raises(RolloutDenied):
        registry.roll_back(MODEL, reason="x", order=order())
    assert desk.active() == first


def order():
    from ordinis_learn.records import RollbackOrder

    return RollbackOrder(
        response_id="1" * 64, alert_id="a", policy_id=POLICY.policy_id, policy_hash=POLICY.policy_hash
    )


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
