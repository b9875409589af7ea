"""``mlflow.models.evaluate(…, evaluators="ordinis")`` and ``ordinis-learn evaluate`` judge one model alike."""

from __future__ import annotations

import pandas as pd
import pytest

from ordinis_learn import open_engine
from ordinis_learn.models import load_bundle

from .conftest import SETTINGS  # isort: skip

pytestmark = pytest.mark.filterwarnings(
    "ignore::pandas.errors.PandasChangeWarning", "ignore::UserWarning:mlflow"
)
LIMITS = {"BENCH_MAX_POSITION": "0.5", "BENCH_SHORTS": "false", "BENCH_BORROW_BPS": "300"}


@pytest.mark.parametrize("limits", [{}, LIMITS], ids=["usual limits", "the desk's limits"])
def test_both_judge_by_the_limits_that_are_set(desk, monkeypatch, limits):
    from ordinis_mlflow._evaluator import mlflow  # imported with its own warning silenced

    for name, value in limits.items():
        monkeypatch.setenv(name, value)
    with open_engine(home=desk, **SETTINGS) as engine:
        rule = engine.train({"name": "desk_rule", "model": "rule"})
        ours = engine.evaluate(rule.artifact_id, "bench_core_v1")
        folder = engine.workbench.registry.local_path(rule.name, rule.version)
        features = load_bundle(folder).feature_names
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{desk / 'ordinis.db'}")
        mlflow.set_tracking_uri(f"sqlite:///{desk / 'ordinis.db'}")
        # Another test of this process may have chosen an experiment of its own database.
        with mlflow.start_run(experiment_id="0"):
            theirs = mlflow.models.evaluate(
                str(folder.parents[1]),
                pd.DataFrame({name: [0.0, 1.0] for name in features}),
                model_type="signal_model",
                evaluators="ordinis",
                evaluator_config={"pack": "bench_core_v1", "home": str(desk), "declared": True},
            )
    card = theirs.artifacts["scorecard.json"].content
    mlflow.set_tracking_uri(None)
    alike = ("windows", "sessions", "pack_end", "metrics", "regimes")
    assert {name: card[name] for name in alike} == {name: ours[name] for name in alike}
    assert card.get("trading") == ours.get("trading")
    assert (card.get("trading") is not None) == bool(limits)
