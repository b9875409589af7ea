"""A history as columns: the same from a cube and from rows, and never from the future."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.datasets.history import history_reaches, with_history
from ordinis_learn.market import FeatureCube
from ordinis_learn.market.lags import lagged_names, lagged_values, missing_features

NAMES = ("a", "b")
COLUMNS = lagged_names(NAMES, lags=(4, 2, 0))
FIRST = date(2001, 3, 1)


def cube_of(seed, *, sessions=9, symbols=3):
    values = np.random.default_rng(seed).normal(size=(sessions, symbols, len(NAMES)))
    return FeatureCube(names=NAMES, values=values)


def rows_of(cube, *, keep=None, seed=0):
    """A cube's cells as rows of a dataset, shuffled; ``keep`` says of which sessions."""
    sessions, symbols = cube.values.shape[:2]
    cells = [(t, n) for t in range(sessions) for n in range(symbols) if keep is None or t in keep]
    np.random.default_rng(seed).shuffle(cells)
    return cells, pa.table(
        {
            "symbol": [f"S{n}" for _, n in cells],
            "session": pa.array([FIRST + timedelta(days=int(t)) for t, _ in cells]),
            **{f"f_{name}": [cube.values[t, n, i] for t, n in cells] for i, name in enumerate(NAMES)},
        }
    )


@settings(deadline=None)  # the first call loads an exchange calendar
@given(seed=st.integers(0, 2**16), session=st.integers(0, 8))
def test_what_comes_later_changes_nothing(seed, session):
    cube, other = cube_of(seed), cube_of(seed + 1)
    changed = FeatureCube(
        names=NAMES, values=np.concatenate([cube.values[: session + 1], other.values[session + 1 :]])
    )
    before, after = lagged_values(cube, COLUMNS), lagged_values(changed, COLUMNS)
    np.testing.assert_array_equal(before[: session + 1], after[: session + 1])


@settings(deadline=None)  # the first call loads an exchange calendar
@given(seed=st.integers(0, 2**16), session=st.integers(0, 8))
def test_rows_of_a_dataset_hold_what_the_cube_holds_and_nothing_later(seed, session):
    cube = cube_of(seed)
    for kept in (None, range(session + 1)):
        cells, rows = rows_of(cube, keep=kept, seed=seed)
        found = with_history(rows, COLUMNS, calendar="24/7")
        wanted = lagged_values(cube, COLUMNS)
        for column, name in enumerate(COLUMNS):
            expected = [wanted[t, n, column] for t, n in cells]
            np.testing.assert_array_equal(found[f"f_{name}"].to_numpy(), expected)
        reaches = history_reaches(rows, COLUMNS, calendar="24/7")
        assert reaches.tolist() == [t >= 4 for t, _ in cells]


def test_a_lost_session_makes_a_value_missing_and_does_not_stretch_the_history():
    cube = cube_of(3)
    cells, rows = rows_of(cube, keep={0, 1, 3, 4, 6})
    there = dict(zip(cells, history_reaches(rows, COLUMNS, calendar="24/7"), strict=True))
    assert [t for t in (0, 1, 3, 4, 6) if there[t, 0]] == []
    found = dict(zip(cells, with_history(rows, COLUMNS, calendar="24/7")["f_a@2"].to_numpy(), strict=True))
    assert np.isnan(found[4, 1])
    assert found[6, 1] == cube.values[4, 1, 0]


def test_sessions_are_those_of_the_calendar_and_other_days_have_no_history():
    days = [
        date(2001, 3, 2),
        date(2001, 3, 4),
        date(2001, 3, 5),
        date(2001, 3, 6),
    ]  # Friday, Sunday, Monday, Tuesday
    rows = pa.table({"symbol": ["S"] * 4, "session": pa.array(days), "f_a": [1.0, 9.0, 2.0, 3.0]})
    found = with_history(rows, ["a@1"], calendar="XNYS")["f_a@1"].to_numpy()
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.0, 2.0])


def test_one_day_alone_has_no_history_and_no_rows_have_none():
    rows = pa.table({"symbol": ["S"], "session": pa.array([date(2001, 3, 2)]), "f_a": [1.0]})
    for some in (rows, rows.slice(0, 0)):
        found = with_history(some, ["a@1", "a", "c@1"], calendar="XNYS")
        assert found.column_names == ["symbol", "session", "f_a", "f_a@1", "f_c@1"]
        assert np.isnan(found["f_a@1"].to_numpy()).all()
        assert not history_reaches(some, ["a@1"], calendar="XNYS").any()


def test_the_first_of_several_rows_of_a_session_speaks_for_it():
    days = [date(2001, 3, 1), date(2001, 3, 1), date(2001, 3, 2), date(2001, 3, 2)]
    rows = pa.table({"symbol": ["S"] * 4, "session": pa.array(days), "f_a": [1.0, 2.0, 3.0, 4.0]})
    assert with_history(rows, ["a@1"], calendar="24/7")["f_a@1"].to_pylist()[2:] == [1.0, 1.0]


def test_a_feature_that_is_itself_called_so_comes_first():
    cube = FeatureCube(names=("a", "a@1"), values=np.arange(6.0).reshape(3, 1, 2))
    assert lagged_values(cube, ["a@1"])[:, 0, 0].tolist() == [1.0, 3.0, 5.0]
    assert missing_features(["a@1", "a@2", "b"], among=cube.names) == ["b"]
    rows = pa.table({"symbol": ["S"], "session": pa.array([FIRST]), "f_a": [1.0], "f_a@1": [7.0]})
    assert with_history(rows, ["a@1"], calendar="24/7") is rows


@pytest.mark.parametrize("columns", [("b", "a"), ("a", "b")])
def test_without_lags_the_columns_are_the_cubes(columns):
    cube = cube_of(1)
    found = lagged_values(cube, columns)
    np.testing.assert_array_equal(found, cube.values[:, :, [NAMES.index(name) for name in columns]])
