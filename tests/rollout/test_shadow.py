from datetime import UTC, date, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, DataMissing, StoreUnavailable
from ordinis_learn.market import FEATURE_NAMES, PriceHistory, compute_features
from ordinis_learn.models.base import Predictions
from ordinis_learn.records import file_sha256
from ordinis_learn.rollout.replay import NO_PARITY
from ordinis_learn.rollout.shadow import run_shadow, wrong_way_loss

SESSIONS, SYMBOLS = 700, ("AAA", "BBB", "CCC")
START, END = date(2001, 1, 29), date(2001, 12, 1)


class SignModel:
    """Follows (or fades) one feature."""

    kind = "sign"
    feature_names = ("ret_20", "vol_20")
    horizon_sessions = 5

    def __init__(self, *, sign=1):
        self.sign = sign
        self.seen = []

    def predict(self, features):
        self.seen.append(features.copy())
        direction = (self.sign * np.sign(features[:, 0])).astype(np.int8)
        confidence = np.tanh(np.abs(features[:, 0]))
        return Predictions(
            direction=direction, confidence=confidence, expected_return=np.full(len(features), np.nan)
        )

    def save(self, folder):
        raise NotImplementedError


class Changed(SignModel):
    """Answers as its function says."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def predict(self, features):
        return self.change(features, super().predict(features))


def make_history(*, seed=0, future=0.0):
    """Prices with momentum, so that following is better than fading; ``future`` moves what comes after END."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.01, (SESSIONS, len(SYMBOLS)))
    for row in range(1, SESSIONS):
        steps[row] += 0.3 * steps[row - 1]
    sessions = np.datetime64("2000-01-03") + np.arange(SESSIONS)
    steps[sessions > np.datetime64(END)] += future
    close = 100 * np.exp(np.cumsum(steps, axis=0))
    return PriceHistory(sessions=sessions, symbols=SYMBOLS, close=close, index_close=close.mean(axis=1))


@pytest.fixture(scope="module")
def history():
    return make_history()


@pytest.fixture
def shadow(history, tmp_path, make):
    def run(candidate, active=None, *, history=history, folder=tmp_path / "shadow", **changes):
        arguments = {
            "features": compute_features(history),
            "history": history,
            "start": START,
            "end": END,
            "subject": make.subject,
            "active_ref": None if active is None else make.incumbent,
            "folder": folder,
            "clock": lambda: make.now,
        }
        return run_shadow(candidate, active, **(arguments | changes))

    return run


def test_a_model_beside_itself_is_equal_in_every_respect(shadow, make):
    report = shadow(SignModel(), SignModel())
    decision_sessions = -(-307 // 5)
    assert (report.subject, report.active, report.created_at) == (make.subject, make.incumbent, make.now)
    assert (report.start, report.end) == (
        datetime(2001, 1, 29, tzinfo=UTC),
        datetime(2001, 12, 1, tzinfo=UTC),
    )
    assert (report.sessions, report.calendar_days) == (307, 306)
    assert report.decisions == report.paired_decisions == 3 * decision_sessions
    assert (report.unpaired, report.errors, report.nan_predictions) == (0, 0, 0)
    assert report.parity_max_abs_diff == 0.0
    assert report.loss_difference == 0.0
    assert report.loss_interval.low < 0 < report.loss_interval.high
    assert 0 < report.latency_ms_p50 <= report.latency_ms_p95
    # Labels of the last decisions need a next session and five more.
    assert report.matured == 3 * sum(1 for s in range(0, 307, 5) if s + 6 <= 306)


def test_the_predictions_are_on_disk_and_hashed(shadow, tmp_path):
    report = shadow(SignModel(), SignModel(sign=-1))
    path = tmp_path / "shadow" / "sp500_signal" / "2.parquet"
    assert file_sha256(path) == report.predictions_sha256
    assert [entry.name for entry in path.parent.iterdir()] == ["2.parquet"]
    table = pq.ParquetFile(path).read()
    assert table.column_names == [
        "session",
        "symbol",
        "role",
        "direction",
        "confidence",
        "expected_return",
        "latency_ms",
    ]
    assert table.num_rows == report.decisions + report.paired_decisions
    assert set(table["role"].to_pylist()) == {"candidate", "active"}
    assert min(table["session"].to_pylist()) == START


def test_the_better_model_loses_less(shadow):
    better = shadow(SignModel(), SignModel(sign=-1))
    worse = shadow(SignModel(sign=-1), SignModel())
    assert better.loss_difference < 0 < worse.loss_difference
    assert better.loss_difference == pytest.approx(-worse.loss_difference)
    assert better.loss_interval.high == pytest.approx(-worse.loss_interval.low)


def test_without_an_active_model_there_is_no_comparison(shadow):
    report = shadow(SignModel())
    assert (report.active, report.loss_difference, report.loss_interval) == (None, None, None)
    assert (report.paired_decisions, report.unpaired) == (0, 0)
    assert report.matured > 0


def test_a_model_sees_one_session_at_a_time_and_cannot_write_into_it(shadow):
    written = []

    def scribble(features, said):
        written.append(features.flags.writeable)
        return said

    model = Changed(scribble)
    report = shadow(model)
    assert not any(written)
    *sessions, batch = model.seen
    assert {rows.shape for rows in sessions} == {(3, 2)}
    assert len(batch) == report.decisions


def with_nan(_features, said):
    confidence = said.confidence.copy()
    confidence[0] = np.nan
    return Predictions(direction=said.direction, confidence=confidence, expected_return=said.expected_return)


def with_batch_dependence(features, said):
    shifted = np.clip(said.confidence + 1e-6 * len(features) / 3, 0, 1)
    return Predictions(direction=said.direction, confidence=shifted, expected_return=said.expected_return)


def with_forecast_in_batch_only(features, said):
    forecast = np.full(len(features), 0.01 if len(features) > 3 else np.nan)
    return Predictions(direction=said.direction, confidence=said.confidence, expected_return=forecast)


def fail(_features, _said):
    raise RuntimeError("the model broke")


def too_short(_features, said):
    return Predictions(
        direction=said.direction[1:], confidence=said.confidence[1:], expected_return=said.expected_return[1:]
    )


def too_sure(_features, said):
    return Predictions(
        direction=said.direction, confidence=said.confidence + 1, expected_return=said.expected_return
    )


def too_far(_features, said):
    return Predictions(
        direction=said.direction * 2, confidence=said.confidence, expected_return=said.expected_return
    )


def test_what_depends_on_the_batch_is_no_parity(shadow):
    assert shadow(Changed(with_batch_dependence)).parity_max_abs_diff > 1e-7
    assert shadow(Changed(with_forecast_in_batch_only)).parity_max_abs_diff == NO_PARITY


def test_nan_predictions_are_counted_and_are_no_decisions(shadow):
    report = shadow(Changed(with_nan), SignModel())
    sessions = report.nan_predictions
    assert sessions == 62
    assert report.decisions == report.paired_decisions == 2 * sessions
    assert report.unpaired == sessions


@pytest.mark.parametrize("change", [fail, too_short, too_sure, too_far])
def test_a_model_that_breaks_is_counted_and_the_replay_goes_on(change, shadow):
    report = shadow(Changed(change), SignModel())
    assert report.errors == 62
    assert (report.decisions, report.paired_decisions, report.unpaired) == (0, 0, 186)
    assert (report.loss_difference, report.loss_interval) == (None, None)
    assert report.parity_max_abs_diff == NO_PARITY


def test_an_active_model_that_breaks_leaves_decisions_unpaired(shadow):
    report = shadow(SignModel(), Changed(fail))
    assert (report.errors, report.decisions, report.paired_decisions, report.unpaired) == (0, 186, 0, 186)


@hypothesis_settings(max_examples=15, deadline=None)
@given(future=st.floats(-0.05, 0.05), seed=st.integers(0, 3))
def test_nothing_after_the_end_is_looked_at(tmp_path_factory, make, future, seed):
    folder = tmp_path_factory.mktemp("shadow")

    def run(history):
        report = run_shadow(
            SignModel(),
            SignModel(sign=-1),
            features=compute_features(history),
            history=history,
            start=START,
            end=END,
            subject=make.subject,
            active_ref=make.incumbent,
            folder=folder,
            clock=lambda: make.now,
        )
        return report.to_json() | dict.fromkeys(["predictions_sha256", "latency_ms_p50", "latency_ms_p95"])

    assert run(make_history(seed=seed)) == run(make_history(seed=seed, future=future))


def test_looking_daily_does_not_count_the_same_days_twice(shadow):
    daily = shadow(SignModel(), SignModel(sign=-1), cadence_sessions=1)
    weekly = shadow(SignModel(), SignModel(sign=-1))
    assert daily.decisions > 4 * weekly.decisions
    assert daily.loss_difference == pytest.approx(weekly.loss_difference)
    assert daily.loss_interval == weekly.loss_interval


def test_a_short_shadow_has_nothing_matured(shadow):
    report = shadow(SignModel(), SignModel(), end=date(2001, 2, 2))
    assert (report.matured, report.loss_interval) == (0, None)


def test_bad_arguments_are_refused(shadow, history, make):
    with pytest.raises(DataMissing, match="no session there"):
        shadow(SignModel(), start=date(1980, 1, 1), end=date(1980, 2, 1))
    with pytest.raises(DataMissing, match="without one complete row"):
        shadow(SignModel(), start=date(2000, 1, 3), end=date(2000, 1, 10))
    with pytest.raises(ConfigInvalid, match="cadence of 0"):
        shadow(SignModel(), cadence_sessions=0)
    with pytest.raises(ConfigInvalid, match="without its reference"):
        shadow(SignModel(), SignModel(), active_ref=None)
    with pytest.raises(ConfigInvalid, match="features of shape"):
        shadow(SignModel(), features=compute_features(history.between(START, END)))
    odd = SignModel()
    odd.feature_names = ("ret_20", "alpha_101")
    with pytest.raises(ConfigInvalid, match="no feature alpha_101"):
        shadow(odd)
    assert "alpha_101" not in FEATURE_NAMES
    for name in ("..", "a/b/c", "a/..", "/a", "a/"):
        with pytest.raises(ConfigInvalid, match="shadow predictions"):
            shadow(SignModel(), subject=make.subject.model_copy(update={"name": name}))


def test_a_folder_that_cannot_be_written_is_a_store_error(shadow, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        shadow(SignModel(), folder=tmp_path / "file")


@given(position=st.floats(-1, 1), outcome=st.sampled_from([-1.0, 0.0, 1.0]))
def test_the_loss_is_a_share_and_its_mirror_sums_to_one(position, outcome):
    loss = wrong_way_loss(np.array([position]), np.array([outcome]))[0]
    mirrored = wrong_way_loss(np.array([-position]), np.array([outcome]))[0]
    assert 0 <= loss <= 1
    assert loss + mirrored == pytest.approx(1)


@pytest.mark.parametrize("position", [-1.0, 1.0])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_for_whole_positions_it_is_the_squared_error(position, sign):
    assert wrong_way_loss(np.array([position]), np.array([sign]))[0] == (position - sign) ** 2 / 4
