"""The other outcome, on simulated prices: a candidate with a planted edge is promoted, drifts, is rolled back.

The edge is real in the simulation until the regime changes; gate and policy are the ones everybody gets.
"""

from __future__ import annotations

import io
from datetime import date

import pytest
from rich.console import Console

from ordinis_learn import open_engine
from ordinis_learn.errors import RolloutDenied
from ordinis_learn.loop import GovernedLoop, LoopPlan
from ordinis_learn.loop.display import Display
from ordinis_learn.market import simulate_history
from ordinis_learn.records import State
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.refusals import refused_rules

pytestmark = pytest.mark.slow

SHIFT = 4957
PLAN = LoopPlan(
    trials=3,
    rounds=300,
    model="sim_signal",
    dataset_id="sim",
    calendar="24/5",
    train_start=date(2001, 3, 1),
    train_end=date(2009, 12, 31),
    pack_end=date(2015, 12, 31),
    first_shadow=(date(2016, 1, 4), date(2016, 6, 30)),
    second_shadow=(date(2016, 7, 1), date(2018, 12, 31)),
    drift=(date(2019, 1, 2), date(2019, 11, 29)),
)


@pytest.fixture(autouse=True)
def _own_addresses(monkeypatch):
    """The loop runs on its home, whatever registry the environment names."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


def _run(home, *, edge: float):
    history = simulate_history(
        sessions=5200, symbols=20, seed=11, edge=edge, shift_at=SHIFT, annual_drift=0.25
    )
    printed = io.StringIO()
    display = Display(Console(file=printed, width=120))
    engine = open_engine(home=home, bench_years_lookback=6)
    GovernedLoop(PLAN, engine=engine, display=display, history=history).run()
    return engine, printed.getvalue()


def test_a_real_edge_is_promoted_its_end_is_noticed_and_version_1_comes_back(tmp_path):
    engine, printed = _run(tmp_path, edge=0.003)
    with engine:
        bench = engine.workbench
        one, two = bench.catalogue.artifacts("sim_signal")
        assert bench.registry.state("sim_signal", two.version) is State.ACTIVE
        assert bench.registry.state("sim_signal", one.version) is State.RETIRED
        assert "v2 → active: granted" in printed

        [report] = bench.catalogue.drift("sim_signal")
        assert report.breached
        assert report.version == two.version
        drifted = {f.feature for f in report.findings if f.severity == "critical"}
        assert {"vol_20", "vol_60"} <= drifted

        # The same drift, found for another candidate on the same data, keeps that one out as well.
        three = engine.train(
            {"name": "sim_signal", "dataset": "sim", "train_until": PLAN.train_end, "rounds": 20, "seed": 8}
        )
        engine.evaluate(three.artifact_id, PLAN.pack_id)
        engine.rollout(three.artifact_id, {"stage": "shadow"})
        check_model_drift(bench, "sim_signal", version=three.version, start=PLAN.drift[0], end=PLAN.drift[1])
        with pytest.raises(RolloutDenied):
            engine.rollout(three.artifact_id, {"stage": "active"})
        assert "no_drift_breach" in refused_rules(bench, three)

        assert engine.rollout(two.artifact_id, {"rollback": "drift"})["active_version"] == one.version
        assert bench.registry.state("sim_signal", one.version) is State.ACTIVE
        assert bench.registry.state("sim_signal", two.version) is State.RETIRED
        assert bench.ledger.active_at("sim_signal", bench.clock()) == one.version
        assert bench.ledger.verify() == []


def test_without_an_edge_the_same_candidate_is_refused(tmp_path):
    engine, printed = _run(tmp_path, edge=0.0)
    with engine:
        bench = engine.workbench
        two = bench.catalogue.artifacts("sim_signal")[-1]
        assert bench.registry.state("sim_signal", two.version) is not State.ACTIVE
        assert "v2 → active: refused, and here is why" in printed
        assert refused_rules(bench, two) - {"approvals"}
