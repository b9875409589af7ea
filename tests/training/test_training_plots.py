import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.training import TrainConfig
from ordinis_learn.training.calibration import calibration_bins

seeds = st.integers(0, 10_000)


@given(seeds, st.integers(1, 12), st.integers(5, 200))
def test_every_row_is_in_one_bin_and_means_are_kept(seed, bins, rows):
    rng = np.random.default_rng(seed)
    forecast, outcome = rng.normal(size=rows).round(1), rng.normal(size=rows)
    session = np.datetime64("2020-01-01") + rng.integers(0, 9, rows)
    found = calibration_bins(forecast, outcome=outcome, session=session, bins=bins)
    assert 1 <= len(found) <= bins
    assert sum(one.rows for one in found) == rows
    assert [one.forecast for one in found] == sorted(one.forecast for one in found)
    total = sum(one.outcome * one.rows for one in found)
    assert total == pytest.approx(outcome.sum())


def test_the_error_counts_sessions_and_not_rows():
    rng = np.random.default_rng(0)
    days, each = 400, 25
    shared = np.repeat(rng.normal(0.0, 0.01, days), each)  # every row of a session has the same outcome
    session = np.datetime64("2020-01-01") + np.repeat(np.arange(days), each)
    (found,) = calibration_bins(np.zeros(days * each), outcome=shared, session=session)
    assert found.error == pytest.approx(0.01 / np.sqrt(days), rel=0.1)


def test_a_single_session_has_no_error():
    session = np.array(["2020-01-01"] * 3, dtype="datetime64[D]")
    (found,) = calibration_bins(np.zeros(3), outcome=np.arange(3.0), session=session)
    assert np.isnan(found.error)


def test_shap_values_add_up_to_the_forecast(planted, manifest_of):
    from ordinis_learn.training._xgboost import explain, fit_all_rows
    from ordinis_learn.training.matrix import training_matrix

    config = TrainConfig(name="m", dataset="core", rounds=10)
    matrix = training_matrix(config, manifest=manifest_of(planted), table=planted, min_samples=1)
    final = fit_all_rows(matrix, config=config, booster=config.booster, rounds=10)
    found = explain(final, matrix=matrix)
    forecast = final.booster.inplace_predict(found.values.astype(np.float32))
    rest = forecast - found.contributions.sum(axis=1)
    assert rest == pytest.approx(np.full(len(rest), rest.mean()), abs=1e-6)
    assert found.contributions.shape == found.values.shape


def test_a_run_shows_pictures_and_both_measures_of_importance(train, tracker, planted):
    train(TrainConfig(name="m", dataset="core", rounds=5, folds=2), planted)
    files = tracker.runs[0].files
    pictures = {name for name in files if name.startswith("plots/")}
    names = ("calibration", "learning_curves", "return_attribution", "shap")
    assert pictures == {f"plots/{name}.png" for name in names}
    assert all(files[name].startswith(b"\x89PNG") for name in pictures)
    assert set(json.loads(files["feature_importance.json"])[0]) == {"feature", "gain", "mean_abs_shap"}


def test_without_folds_there_is_nothing_to_judge_only_to_explain(train, tracker, planted):
    train(TrainConfig(name="m", dataset="core", rounds=5, folds=0), planted)
    assert [name for name in tracker.runs[0].files if name.startswith("plots/")] == ["plots/shap.png"]
