"""Features out of payloads, and their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.datasets import profile_feature
from ordinis_learn.datasets.bucket import feature_columns
from ordinis_learn.labelling import signal_columns
from ordinis_learn.records import Topic

numbers = st.lists(st.floats(-1e9, 1e9) | st.just(float("nan")), max_size=80)


def test_any_name_and_every_bit_of_a_feature_survive(new_desk):
    desk = new_desk(days=0)
    odd = {"a/b": 0.1, 'quo"te': 1 / 3, "til~de": -2.5e-300, "Case": 1.0, "case": 2.0, "ünï": 3}
    desk.signal("one", "X", 1, event_id="e1", features=odd)
    desk.signal("two", "X", 2, event_id="e2", features={"case": 5.0})
    for found in (
        signal_columns(desk.log().scan(Topic.SIGNAL)),
        signal_columns(desk.log().read_columns(Topic.SIGNAL)),
    ):
        names = feature_columns(found)
        assert names == tuple(f"f_{name}" for name in sorted(odd))
        assert found.column_names[-len(names) :] == list(names)
        first, second = found.select(names).to_pylist()
        assert first == {f"f_{name}": value for name, value in odd.items()}
        assert {name for name, value in second.items() if value is not None} == {"f_case"}


def test_no_features_no_columns(new_desk):
    desk = new_desk(days=0)
    desk.signal("one", "X", 1, event_id="e1", features={})
    assert feature_columns(signal_columns(desk.log().scan(Topic.SIGNAL))) == ()


@given(numbers)
def test_a_profile_counts_every_value(values):
    profile = profile_feature(values)
    finite = [value for value in values if np.isfinite(value)]
    assert profile.count == len(values) == profile.missing + len(finite)
    assert sum(profile.counts) == len(finite)
    assert len(profile.counts) == max(len(profile.edges) - 1, 0) <= 10
    if finite:
        assert (profile.edges[0], profile.edges[-1]) == (min(finite), max(finite))
        assert profile.minimum == min(finite)


def test_many_distinct_values_fill_ten_equal_bins():
    profile = profile_feature(np.random.default_rng(0).normal(size=10_000))
    assert profile.counts == (1000,) * 10


def test_a_constant_feature_has_one_bin():
    profile = profile_feature([2.0, 2.0, 2.0])
    assert (profile.edges, profile.counts, profile.std) == ((2.0, 2.0), (3,), 0.0)


def test_nothing_finite_leaves_everything_undefined():
    profile = profile_feature([float("nan"), float("inf")])
    assert (profile.count, profile.missing, profile.edges, profile.mean) == (2, 2, (), None)
    assert profile_feature([7.0]).std is None


@pytest.mark.parametrize("size", [0, 1])
def test_small_is_allowed(size):
    assert profile_feature(np.ones(size)).count == size
