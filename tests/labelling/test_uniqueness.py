"""Sample uniqueness against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.labelling import effective_samples, horizon_uniqueness, sample_uniqueness

lives = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(0, 25), st.sampled_from("AB")), min_size=1, max_size=30
)


def by_definition(labels):
    """Section 4.4, word by word."""
    means = []
    for first, length, group in labels:
        alive = [
            sum(g == group and f <= bar <= f + n for f, n, g in labels)
            for bar in range(first, first + length + 1)
        ]
        means.append(float(np.mean([1 / count for count in alive])))
    return means


@given(lives)
def test_agrees_with_the_definition(labels):
    first = [label[0] for label in labels]
    last = [label[0] + label[1] for label in labels]
    found = sample_uniqueness(first, last=last, group=[label[2] for label in labels])
    np.testing.assert_allclose(found, by_definition(labels), rtol=1e-9)
    assert ((found > 0) & (found <= 1)).all()


def test_afml_4_5_3():
    assert sample_uniqueness([0, 2, 4], last=[2, 3, 5]) == pytest.approx([5 / 6, 3 / 4, 1.0])


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_labels_on_every_session_are_worth_one_over_the_horizon(horizon):
    made = np.arange(2520)
    found = sample_uniqueness(made + 2, last=made + 1 + horizon)
    assert found[horizon:-horizon] == pytest.approx(1 / horizon)
    # Ten years of 20-session labels hold 126 and a little for the two ends, which overlap less.
    assert 2520 / horizon <= effective_samples(found) <= 2520 / horizon + 3


def test_groups_do_not_overlap():
    together = sample_uniqueness([0, 0], last=[4, 4])
    apart = sample_uniqueness([0, 0], last=[4, 4], group=["A", "B"])
    assert together.tolist() == [0.5, 0.5]
    assert apart.tolist() == [1.0, 1.0]


def test_no_labels_no_evidence():
    assert effective_samples(sample_uniqueness([], last=[])) == 0.0


@pytest.mark.parametrize(("first", "last"), [([3], [2]), ([1, 2], [3])])
def test_lives_must_make_sense(first, last):
    with pytest.raises(ValueError, match="first <= last"):
        sample_uniqueness(first, last=last)


@given(
    labels=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=40),
    horizon=st.integers(1, 25),
    shift=st.integers(0, 5),
)
def test_labels_of_one_length_are_counted_by_bar(labels, horizon, shift):
    entry = np.array([bar for bar, _ in labels], dtype=np.int64) + shift
    group = np.array([number for _, number in labels], dtype=np.int64)
    found = horizon_uniqueness(entry, group=group, horizon=horizon)
    expected = sample_uniqueness(entry + 1, last=entry + horizon, group=group)
    assert found.tolist() == expected.tolist()
