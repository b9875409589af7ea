"""A model over a history, through the whole desk: trained, judged, reproduced, run in shadow, watched for drift."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from ordinis_learn.use_cases.drift import check_model_drift
from ordinis_learn.use_cases.reproduce import reproduce
from ordinis_learn.use_cases.shadow import shadow

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
