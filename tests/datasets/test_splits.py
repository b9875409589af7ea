"""Walk-forward folds: disjoint, in time order, and no interval of train touches one of test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ordinis_learn.datasets import purged_walk_forward
from ordinis_learn.errors import ConfigInvalid, DataMissing

ORIGIN = np.datetime64("2001-01-01", "D")

rows = st.lists(
    st.tuples(st.integers(0, 80), st.integers(1, 4), st.integers(0, 25), st.booleans()),
    min_size=20,
    max_size=120,
)


@given(
    rows=rows,
    folds=st.integers(1, 4),
    embargo=st.integers(0, 6),
    first=st.none() | st.integers(1, 40),
)
def test_no_training_label_touches_a_test_label(rows, folds, embargo, first):
    made = ORIGIN + np.array([row[0] for row in rows])
    start = made + np.array([row[1] for row in rows])
    end = start + np.array([row[2] for row in rows])
    unlabelled = np.array([row[3] for row in rows])
    start[unlabelled] = end[unlabelled] = np.datetime64("NaT")
    try:
        splits = purged_walk_forward(
            start, end, made, folds=folds, embargo_sessions=embargo, min_train_sessions=first
        )
    except DataMissing:
        assume(False)
    assert len(splits) == folds
    days = np.unique(made[~unlabelled])
    tested = np.concatenate([split.test for split in splits])
    assert len(np.unique(tested)) == len(tested)
    for split in splits:
        assert not np.isnat(start[split.train]).any()
        assert not np.isnat(start[split.test]).any()
        assert made[split.train].max() < made[split.test].min()
        overlap = (start[split.train][:, None] <= end[split.test]) & (
            start[split.test] <= end[split.train][:, None]
        )
        assert not overlap.any()
        assert end[split.train].max() < made[split.test].min()
        between = (days >= end[split.train].max()) & (days < made[split.test].min())
        assert between.sum() >= min(embargo, 1)


def test_every_clear_row_is_used():
    """Purging takes what it must and nothing more."""
    made = ORIGIN + np.arange(100)
    (split,) = purged_walk_forward(made + 1, made + 6, made, folds=1, min_train_sessions=60)
    assert split.train.tolist() == list(range(54))
    assert split.test.tolist() == list(range(60, 100))
    (split,) = purged_walk_forward(
        made + 1, made + 6, made, folds=1, min_train_sessions=60, embargo_sessions=10
    )
    assert split.train.tolist() == list(range(44))


def test_rows_of_one_session_stay_together_in_any_order():
    made = np.repeat(ORIGIN + np.arange(30), 3)
    shuffled = made[np.random.default_rng(0).permutation(90)]
    splits = purged_walk_forward(shuffled + 1, shuffled + 2, shuffled, folds=3)
    for split in splits:
        assert not set(shuffled[split.train]) & set(shuffled[split.test])
        assert (np.diff(split.train) > 0).all()


@pytest.mark.parametrize(
    "arguments", [{"folds": 0}, {"folds": 1, "embargo_sessions": -1}, {"folds": 1, "min_train_sessions": 0}]
)
def test_counts_must_make_sense(arguments):
    made = ORIGIN + np.arange(30)
    with pytest.raises(ConfigInvalid) as caught:
        purged_walk_forward(made + 1, made + 2, made, **arguments)
    assert caught.value.code == "E_CFG_INVALID"


def test_a_label_must_follow_its_session():
    made = ORIGIN + np.arange(30)
    with pytest.raises(ConfigInvalid):
        purged_walk_forward(made, made + 2, made, folds=2)


@pytest.mark.parametrize("arguments", [{"folds": 40}, {"folds": 2, "embargo_sessions": 29}])
def test_too_little_for_the_folds(arguments):
    made = ORIGIN + np.arange(30)
    with pytest.raises(DataMissing) as caught:
        purged_walk_forward(made + 1, made + 2, made, **arguments)
    assert "fewer folds" in caught.value.next_step
