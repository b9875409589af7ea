from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import split_windows

TRAINED = {"data_snapshot_ref": "core@1"}


def test_a_declared_model_has_seen_nothing(pack, make_artifact):
    kept, purged = split_windows(pack, artifact=make_artifact(), horizon_sessions=5)
    assert kept == pack.manifest.windows
    assert purged == ()


def split_or_all_seen(pack, artifact, horizon):
    try:
        return split_windows(pack, artifact=artifact, horizon_sessions=horizon)
    except EvalFailed:
        return (), pack.manifest.windows


@settings(max_examples=60, deadline=None)
@given(days=st.integers(-3000, 1800), length=st.integers(0, 4000), horizon=st.integers(1, 20))
def test_no_window_that_is_kept_touches_training_or_its_embargo(pack, make_artifact, days, length, horizon):
    until = pack.manifest.start + timedelta(days=days)
    trained = make_artifact(
        trained_from=str(until - timedelta(days=length)), trained_until=str(until), **TRAINED
    )
    kept, purged = split_or_all_seen(pack, trained, horizon)
    assert sorted(kept + purged, key=lambda w: w.window_id) == sorted(
        pack.manifest.windows, key=lambda w: w.window_id
    )
    for window in kept:
        before = window.end < until - timedelta(days=length)
        gap = pack.history.sessions[
            (pack.history.sessions > np.datetime64(until))
            & (pack.history.sessions < np.datetime64(window.start))
        ]
        assert before or (
            window.start > until and (len(gap) > horizon or until < pack.history.sessions[0].item())
        )


def test_a_moment_is_read_as_its_date(pack, make_artifact):
    day = make_artifact(trained_until="2018-06-29", **TRAINED)
    moment = make_artifact(trained_until="2018-06-29T20:00:00+00:00", **TRAINED)
    assert split_windows(pack, artifact=day, horizon_sessions=5) == split_windows(
        pack, artifact=moment, horizon_sessions=5
    )


def test_training_that_began_later_leaves_earlier_windows(pack, make_artifact):
    late = make_artifact(trained_from="2020-06-01", trained_until="2021-12-31", **TRAINED)
    kept, purged = split_windows(pack, artifact=late, horizon_sessions=5)
    assert kept
    assert all(window.end < date(2020, 6, 1) for window in kept)
    assert purged


def test_all_windows_seen_is_said_so(pack, make_artifact):
    with pytest.raises(EvalFailed) as caught:
        split_windows(pack, artifact=make_artifact(trained_until="2021-12-31", **TRAINED), horizon_sessions=5)
    assert "all " in caught.value.found
    assert len(caught.value.data["purged"]) == len(pack.manifest.windows)


def test_a_trained_model_that_does_not_say_until_when_is_not_judged(pack, make_artifact):
    with pytest.raises(EvalFailed):
        split_windows(pack, artifact=make_artifact(**TRAINED), horizon_sessions=5)
