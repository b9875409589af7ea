"""A part of the reference's rows, all features together, as the bins they fall into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.column import ColumnReference

__all__ = ["JointSample", "normal_scores", "sample_jointly"]

_SAMPLE_ROWS: Final = 8000


@dataclass(frozen=True, kw_only=True, eq=False)
class JointSample:
    """At most 8,000 rows, evenly spread over the sessions.

    Attributes
    ----------
    names : tuple of str
        The features, in the order of the columns of ``bins``.
    bins : uint8 array, shape (n, F)
        The bin of each value, B for a missing one: a percentile is all that a rank needs.
    session : int64 array, shape (n,)
        Not decreasing.
    """

    names: tuple[str, ...]
    bins: npt.NDArray[np.uint8]
    session: Int1D


def sample_jointly(
    values: Mapping[str, Float1D], *, columns: Mapping[str, ColumnReference], session: Int1D
) -> JointSample:
    """Take every k-th row in the order of the sessions; all of them where they are few."""
    order = np.argsort(session, kind="stable")
    rows = order[:: -(-len(order) // _SAMPLE_ROWS)]
    return JointSample(
        names=tuple(values),
        bins=np.stack(
            [columns[name].bins.index(column[rows]) for name, column in values.items()], axis=1
        ).astype(np.uint8),
        session=session[rows],
    )


def normal_scores(
    bins: npt.NDArray[np.integer], *, names: tuple[str, ...], columns: Mapping[str, ColumnReference]
) -> Float2D:
    """Return Φ⁻¹ of each value's middle rank in the reference; 0, the middle, for a missing value.

    Beyond the reference's extremes the rank is that of half a row. Shape as ``bins``.
    """
    scores = np.empty(bins.shape, dtype=np.float64)
    for position, name in enumerate(names):
        scores[:, position] = _scores_of(columns[name])[bins[:, position]]
    return scores


def _scores_of(column: ColumnReference) -> Float1D:
    rows = column.counts.total[:-1]
    known = rows.sum()
    rank = (np.cumsum(rows) - rows / 2.0) / known
    inside = np.clip(rank, 0.5 / known, 1.0 - 0.5 / known)
    return np.append(ndtri(inside), 0.0)
