from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from ordinis_learn.bench import Pack, PackSpec, generate_pack
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation import max_drawdown, sharpe_ratio
from ordinis_learn.market import PriceHistory
from ordinis_learn.records import ModelRef, Regime, Scorecard


@pytest.fixture(scope="module")
def compared(evaluate, momentum, always_long):
    return evaluate(momentum, always_long)


def test_the_scorecard_is_complete_and_survives_json(compared, pack):
    card = compared.scorecard
    assert Scorecard.model_validate_json(card.model_dump_json()).content_hash() == card.content_hash()
    assert (card.pack_id, card.pack_hash) == (pack.manifest.pack_id, pack.manifest.manifest_hash)
    assert set(card.differences) == {"sharpe", "sharpe_hac", "sharpe_jkm", "max_drawdown"}
    assert set(card.metrics) == set(card.baseline_metrics) >= {"sharpe", "max_drawdown", "turnover", "cvar_5"}
    assert card.windows == len(pack.manifest.windows)
    assert card.sessions == len(compared.sessions) == card.differences["sharpe"].sessions
    assert (card.errors, card.error_rate, card.baseline_error_rate) == (0, 0.0, 0.0)


def test_numbers_are_those_of_the_series(compared):
    card = compared.scorecard
    assert card.metrics["sharpe"] == pytest.approx(sharpe_ratio(compared.subject_returns))
    assert card.baseline_metrics["max_drawdown"] == pytest.approx(max_drawdown(compared.baseline_returns))
    for name in ("sharpe", "max_drawdown"):
        difference = card.metrics[name] - card.baseline_metrics[name]
        assert card.differences[name].estimate == pytest.approx(difference)


def test_sessions_are_those_of_the_windows_and_count_once(compared, pack):
    expected = {
        day
        for window in pack.manifest.windows
        for day in pack.history.between(window.start, window.end).sessions.tolist()
    }
    assert compared.sessions.tolist() == sorted(expected)


def test_the_same_arguments_give_the_same_scorecard(compared, evaluate, momentum, always_long):
    again = evaluate(momentum, always_long)
    assert (
        again.scorecard == compared.scorecard or again.scorecard.canonical() == compared.scorecard.canonical()
    )
    np.testing.assert_array_equal(again.subject_returns, compared.subject_returns)


def test_regimes_cover_the_windows_that_carry_them(compared, pack):
    rows = {row.regime: row for row in compared.scorecard.regimes}
    assert set(rows) == set(pack.manifest.regimes)
    for regime, row in rows.items():
        tagged = [window for window in pack.manifest.windows if regime in window.regimes]
        assert row.windows == len(tagged)
        assert 0 < row.sessions <= compared.scorecard.sessions
        assert set(row.subject) == set(row.baseline) == set(compared.scorecard.metrics)


def test_a_regimes_drawdown_is_that_of_its_worst_window(compared, pack):
    row = next(row for row in compared.scorecard.regimes if row.regime is Regime.BEAR)
    worst = max(
        max_drawdown(
            compared.baseline_returns[
                (compared.sessions >= np.datetime64(window.start))
                & (compared.sessions <= np.datetime64(window.end))
            ]
        )
        for window in pack.manifest.windows
        if Regime.BEAR in window.regimes
    )
    assert row.baseline["max_drawdown"] == pytest.approx(worst)


def test_without_a_baseline_there_is_nothing_to_compare(evaluate, momentum):
    card = evaluate(momentum).scorecard
    assert card.baseline is None
    assert (card.differences, card.baseline_metrics, card.baseline_error_rate) == ({}, {}, None)
    assert card.metrics["sharpe"] is not None
    assert all(row.baseline == {} for row in card.regimes)


def test_a_model_against_itself_is_inconclusive(evaluate, momentum):
    difference = evaluate(momentum, momentum).scorecard.differences["sharpe"]
    assert (difference.estimate, difference.verdict) == (0.0, "inconclusive")


def test_a_model_that_never_trades_is_undefined_and_not_zero(evaluate, sign_model, always_long):
    card = evaluate(sign_model(lambda x: np.zeros(len(x))), always_long).scorecard
    assert card.metrics["sharpe"] is None
    assert card.metric_quality["sharpe"].startswith("undefined")
    assert "sharpe" not in card.differences
    assert card.metric_quality["difference.sharpe"].startswith("undefined")
    assert (card.probabilistic_sharpe, card.deflated_sharpe) == (None, None)
    assert card.differences["max_drawdown"].estimate < 0
    assert Scorecard.model_validate_json(card.model_dump_json()).content_hash() == card.content_hash()


def test_costs_are_paid_by_both(evaluate, compared, momentum, always_long):
    dear = evaluate(momentum, always_long, fee_bps=20.0).scorecard
    assert dear.metrics["cagr"] < compared.scorecard.metrics["cagr"]
    assert dear.baseline_metrics["cagr"] <= compared.scorecard.baseline_metrics["cagr"]
    assert dear.metrics["turnover"] == compared.scorecard.metrics["turnover"]


def test_trials_deflate(evaluate, momentum, make_artifact, compared):
    assert compared.scorecard.deflated_sharpe == compared.scorecard.probabilistic_sharpe
    tried = evaluate(momentum, artifact=make_artifact(trials=20, trial_sharpe_variance=0.0004)).scorecard
    assert tried.trials == 20
    assert tried.deflated_sharpe < tried.probabilistic_sharpe


def test_trials_whose_spread_is_unknown_leave_the_deflated_sharpe_undefined(
    evaluate, momentum, make_artifact
):
    card = evaluate(momentum, artifact=make_artifact(trials=20)).scorecard
    assert card.deflated_sharpe is None
    assert "20 trials" in card.metric_quality["deflated_sharpe"]
    assert card.probabilistic_sharpe is not None


def test_windows_that_training_has_seen_are_purged_and_named(
    evaluate, momentum, always_long, make_artifact, pack
):
    trained = make_artifact(data_snapshot_ref="core@1", trained_from="2010-01-04", trained_until="2018-12-31")
    evaluation = evaluate(momentum, always_long, artifact=trained)
    card = evaluation.scorecard
    assert card.purged_windows
    assert card.windows + len(card.purged_windows) == len(pack.manifest.windows)
    assert evaluation.sessions[0].item() > date(2019, 1, 8)
    assert card.dataset_ref == "core@1"
    with pytest.raises(EvalFailed):
        evaluate(
            momentum,
            artifact=make_artifact(data_snapshot_ref="core@1", trained_until="2021-12-31"),
        )


def test_errors_of_the_model_are_counted(evaluate, sign_model):
    def score(features):
        if (features[:, 0] < -0.08).any():
            raise ValueError("too wild")
        return np.ones(len(features))

    card = evaluate(sign_model(score)).scorecard
    assert card.errors > 0
    assert 0 < card.error_rate < 0.5


def test_half_a_baseline_is_refused(evaluate, momentum):
    with pytest.raises(ConfigInvalid):
        evaluate(momentum, baseline_ref=ModelRef(name="m", version="1", artifact_sha256="a" * 64))


def test_missing_closes_are_survived(evaluate, momentum, always_long, pack):
    close = pack.history.close.copy()
    close[600:640, 0] = np.nan
    spec = PackSpec(end=date(2021, 12, 31), years_lookback=4, windows=8, strict=False)
    manifest, prices = generate_pack(replace(pack.history, close=close), spec)
    card = evaluate(momentum, always_long, pack=Pack(manifest=manifest, history=prices)).scorecard
    assert card.metrics["sharpe"] is not None


def planted(seed):
    """Four symbols that drift one way for sixty sessions and then draw a new way; the index is their mean."""
    rng = np.random.default_rng(seed)
    sessions = np.arange(np.datetime64("2010-01-01"), np.datetime64("2019-12-31"))
    sessions = sessions[np.is_busday(sessions)]
    way = np.repeat(rng.choice([-1.0, 1.0], (len(sessions) // 60 + 1, 4)), 60, axis=0)[: len(sessions)]
    close = 100 * np.exp(np.cumsum(0.002 * way + rng.normal(0.0, 0.01, way.shape), axis=0))
    return PriceHistory(
        sessions=sessions, symbols=("A", "B", "C", "D"), close=close, index_close=close.mean(axis=1)
    )


def test_a_planted_edge_is_found_and_its_reverse_fails(evaluate, sign_model, always_long):
    manifest, prices = generate_pack(planted(3), PackSpec(years_lookback=8, windows=30, include_stress=False))
    pack = Pack(manifest=manifest, history=prices)
    knows = sign_model(lambda features: features[:, 0], feature_names=("ret_20",))
    wrong = sign_model(lambda features: -features[:, 0], feature_names=("ret_20",))
    found = evaluate(knows, always_long, pack=pack).scorecard
    assert found.differences["sharpe"].verdict == "pass"
    assert found.deflated_sharpe > 0.95
    assert evaluate(wrong, always_long, pack=pack).scorecard.differences["sharpe"].verdict == "fail"
