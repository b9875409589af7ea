"""A model over a history, through the whole desk: trained, judged, reproduced, run in shadow, watched for drift."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ordinis_learn.shadow.store import ShadowStore
from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.drift_reference import score
from ordinis_learn.use_cases.drift_subject import DriftSubject
from ordinis_learn.use_cases.reproduce import reproduce
from ordinis_learn.use_cases.shadow import shadow
from ordinis_learn.use_cases.shadow_run import report_shadow, shadow_runner

pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")
pytestmark = pytest.mark.slow

SHAPE = {"steps": 3, "stride_sessions": 5, "hidden": 4, "epochs": 4, "batch_rows": 256, "learning_rate": 0.01}


def test_a_sequence_goes_where_every_model_goes(engine):
    import mlflow.pyfunc

    bench = engine.workbench
    artifact = engine.train(
        {"name": "history", "model": "sequence", "dataset": "core", "folds": 2, "sequence": SHAPE}
    )
    card = engine.evaluate(artifact.artifact_id, "bench_core_v1")
    assert (card["errors"], card["sessions"] > 100) == (0, True)
    assert card["metrics"]["turnover"] is not None
    assert reproduce(bench, "history", "1").identical

    report = shadow(bench, artifact.artifact_id, start=date(1994, 1, 3), end=date(1995, 6, 30))
    assert (report.errors, report.nan_predictions) == (0, 0)
    assert report.parity_max_abs_diff < 1e-9
    assert report.decisions > 1000

    drift = check_model_drift(bench, "history", start=date(1994, 1, 3), end=date(1995, 6, 30), version="1")
    said = [finding for finding in drift.findings if finding.feature == "prediction"]
    assert said

    folder = bench.registry.local_path("history", "1").parent.parent
    loaded = mlflow.pyfunc.load_model(str(folder))
    names = loaded.metadata.signature.inputs.input_names()
    assert len(names) == 3 * 12
    assert {"ret_1@10", "ret_1@5", "ret_1"} <= set(names)
    frame = pd.DataFrame(np.zeros((2, len(names))), columns=names)
    frame.loc[1, "ret_1@10"] = np.nan
    answer = loaded.predict(frame)
    assert answer["confidence"][1] == 0.0
    assert answer["direction"][1] == 0
    assert np.isfinite(answer["expected_return"][0])


def test_a_sequence_runs_beside_a_desk_event_by_event_as_it_was_trained(engine):
    """What it is asked live are the rows that a dataset of the same signals has, and a batch says the same."""
    bench = engine.workbench
    engine.train({"name": "history", "model": "sequence", "dataset": "core", "folds": 2, "sequence": SHAPE})
    half = bench.log.position() // 2
    for until in (half, None):
        with shadow_runner(bench, "history", "1", source="signals") as runner:
            for _ in runner.catch_up(until=until):
                pass
    report = report_shadow(bench, "history", "1")
    assert report.parity_max_abs_diff == 0.0
    assert (report.errors, report.nan_predictions) == (0, 0)
    assert report.decisions > 1000

    manifest = bench.catalogue.dataset("core")
    window = manifest.window.model_copy(update={"end": date(1995, 6, 30)})
    artifact = next(one for one in bench.catalogue.artifacts("history"))
    subject = DriftSubject.of(bench, artifact, manifest)
    rows = subject.rows(date(1994, 1, 3), window.end)
    said = score(subject.model, rows, horizon=subject.horizon)
    with ShadowStore(bench.settings.shadow_dir / "history" / "1.db") as store:
        kept = store.columns()
    live = {
        (moment, symbol): (direction * confidence, outcome)
        for moment, symbol, direction, confidence, outcome in zip(
            kept["ts_event"].tolist(),
            kept["symbol"],
            kept["candidate_direction"],
            kept["candidate_confidence"],
            kept["candidate_outcome"],
            strict=True,
        )
    }
    moments = rows["ts_signal"].cast("int64").to_pylist()
    found = [live[key] for key in zip(moments, rows["symbol"].to_pylist(), strict=True)]
    asked = np.array([outcome == "scored" for _, outcome in found])
    assert asked.mean() > 0.9
    assert np.array_equal(np.array([value for value, _ in found])[asked], said.prediction[asked])
    assert (said.confidence[~asked] == 0.0).all()  # a part of the history is missing: flat
