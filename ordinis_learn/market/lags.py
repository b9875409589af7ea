"""A feature some sessions ago, as a column of its own: ``ret_5@10`` is ``ret_5`` ten sessions back.

So a model over a symbol's history is asked through the same rows as any other, and one function makes those rows from a
cube of features. ``ret_5@0`` is not written: it is ``ret_5``. What lies before the first session is missing, and a row
that misses a value is flat with confidence 0. Where rows come from a dataset, :mod:`ordinis_learn.datasets.history`
finds the same values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from ordinis_learn.market.features import FeatureCube, Float3D

__all__ = ["lagged_name", "lagged_names", "lagged_values", "missing_features", "split_lag"]

_LAGGED: Final = re.compile(r"^(?P<name>.+)@(?P<sessions>[1-9][0-9]{0,4})$")


def lagged_name(name: str, *, sessions: int) -> str:
    """Return the column of a feature so many sessions ago.

    Examples
    --------
    >>> lagged_name("ret_5", sessions=10), lagged_name("ret_5", sessions=0)
    ('ret_5@10', 'ret_5')
    """
    return f"{name}@{sessions}" if sessions else name


def lagged_names(names: Sequence[str], *, lags: Sequence[int]) -> tuple[str, ...]:
    """Return the columns of a history, all features of the first lag before those of the second.

    Examples
    --------
    >>> lagged_names(["ret_5", "vol_20"], lags=[5, 0])
    ('ret_5@5', 'vol_20@5', 'ret_5', 'vol_20')
    """
    return tuple(lagged_name(name, sessions=sessions) for sessions in lags for name in names)


def split_lag(column: str) -> tuple[str, int]:
    """Return the feature behind a column, and how many sessions ago.

    Examples
    --------
    >>> split_lag("ret_5@10"), split_lag("ret_5")
    (('ret_5', 10), ('ret_5', 0))
    """
    found = _LAGGED.match(column)
    return (found["name"], int(found["sessions"])) if found else (column, 0)


def missing_features(columns: Sequence[str], *, among: Sequence[str]) -> list[str]:
    """Return the columns whose feature is not there.

    Examples
    --------
    >>> missing_features(["ret_5@10", "mood@5", "vol_20"], among=["ret_5"])
    ['mood@5', 'vol_20']
    """
    return [column for column in columns if column not in among and split_lag(column)[0] not in among]


def lagged_values(cube: FeatureCube, columns: Sequence[str]) -> Float3D:
    """Return the columns of a cube, shape (T, N, len(columns)).

    Row t holds nothing that is later than session t. NaN where a column looks back beyond the first session. Every
    feature must be there: ask :func:`missing_features` first.

    Examples
    --------
    >>> cube = FeatureCube(names=("a",), values=np.array([[[1.0]], [[2.0]], [[3.0]]]))
    >>> lagged_values(cube, ["a@1", "a"])[:, 0].tolist()
    [[nan, 1.0], [1.0, 2.0], [2.0, 3.0]]
    """
    # A feature that is itself called so comes before one that would have to be looked back for.
    wanted = [(column, 0) if column in cube.names else split_lag(column) for column in columns]
    places = [cube.names.index(name) for name, _ in wanted]
    if not any(sessions for _, sessions in wanted):
        plain: Float3D = cube.values
        return plain if places == list(range(len(cube.names))) else plain[:, :, places]
    values = np.full((*cube.values.shape[:2], len(columns)), np.nan)
    for column, (place, (_, sessions)) in enumerate(zip(places, wanted, strict=True)):
        kept = max(0, len(values) - sessions)
        values[sessions:, :, column] = cube.values[:kept, :, place]
    return values
