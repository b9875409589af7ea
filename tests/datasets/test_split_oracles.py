"""The splitter against two others, where they can be compared: one series, labels of one length.

Neither takes label intervals over a panel. ``skfolio`` purges by count, so its count is the label's length; ``purgedcv``
takes intervals that are open at the end, so ours end a session later there.
"""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from purgedcv import CombinatorialPurgedCV as PurgedCombinatorial
from purgedcv import WalkForwardSplit
from skfolio.model_selection import CombinatorialPurgedCV, WalkForward

from ordinis_learn.datasets import purged_walk_forward

ORIGIN = np.datetime64("2001-01-01", "D")


def ours(*, sessions, horizon, folds, first, embargo=0):
    made = ORIGIN + np.arange(sessions)
    return purged_walk_forward(
        made + 1, made + horizon, made, folds=folds, min_train_sessions=first, embargo_sessions=embargo
    )


def same(splits, theirs):
    assert len(splits) == len(theirs)
    for split, (train, test) in zip(splits, theirs, strict=True):
        assert split.train.tolist() == np.asarray(train).tolist()
        assert split.test.tolist() == np.asarray(test).tolist()


layouts = st.tuples(st.integers(2, 5), st.integers(5, 15), st.integers(1, 10), st.integers(15, 40))


@settings(deadline=None)
@given(layouts)
def test_skfolio_walks_forward_alike(layout):
    folds, size, horizon, first = layout
    sessions = first + folds * size
    theirs = WalkForward(test_size=size, train_size=first - horizon, expand_train=True, purged_size=horizon)
    same(
        ours(sessions=sessions, horizon=horizon, folds=folds, first=first),
        list(theirs.split(np.zeros((sessions, 1)))),
    )


@settings(deadline=None)
@given(layouts, st.integers(0, 4))
def test_purgedcv_walks_forward_alike(layout, embargo):
    """An embargo before the test block is a longer purge there: theirs lies after it."""
    folds, size, horizon, first = layout
    sessions = first + folds * size
    when = pd.Series(pd.date_range("2001-01-01", periods=sessions, freq="D"))
    theirs = WalkForwardSplit(
        folds,
        size,
        prediction_times=when,
        evaluation_times=when + pd.Timedelta(days=horizon + 1 + embargo),
    )
    same(
        ours(sessions=sessions, horizon=horizon, folds=folds, first=first, embargo=embargo),
        list(theirs.split(np.zeros((sessions, 1)))),
    )


def past_of(theirs, sessions):
    """Keep the splits that test one unbroken stretch with something before it, and of those what lies before it."""
    for train, test in theirs.split(np.zeros((sessions, 1))):
        tested = np.sort(np.concatenate([np.atleast_1d(part) for part in test]))
        if tested[0] > 0 and tested[-1] - tested[0] == len(tested) - 1:
            yield np.asarray(train)[np.asarray(train) < tested[0]], tested


@settings(deadline=None)
@given(st.integers(4, 6), st.integers(12, 20), st.integers(1, 8))
def test_skfolios_combinatorial_splits_have_the_same_past(folds, size, horizon):
    """Two neighbouring blocks tested together: what is kept before them is what we train on."""
    theirs = CombinatorialPurgedCV(n_folds=folds, n_test_folds=2, purged_size=horizon)
    compared = list(past_of(theirs, folds * size))
    assert len(compared) == folds - 2
    for train, tested in compared:
        first = int(tested[0])
        same(
            ours(sessions=first + 2 * size, horizon=horizon, folds=1, first=first),
            [(train, tested)],
        )


@settings(deadline=None)
@given(st.integers(4, 6), st.integers(12, 20), st.integers(1, 8))
def test_purgedcvs_combinatorial_splits_have_the_same_past(folds, size, horizon):
    when = pd.Series(pd.date_range("2001-01-01", periods=folds * size, freq="D"))
    ends = when + pd.Timedelta(days=horizon + 1)
    theirs = PurgedCombinatorial(folds, 2, prediction_times=when, evaluation_times=ends)
    compared = list(past_of(theirs, folds * size))
    assert len(compared) == folds - 2
    for train, tested in compared:
        first = int(tested[0])
        same(
            ours(sessions=first + 2 * size, horizon=horizon, folds=1, first=first),
            [(train, tested)],
        )
