"""Does a feature know the outcome? Association of features with labels that no honest feature has.

A feature that predicts returns explains little of them: Campbell and Thompson (Review of Financial Studies, 2008) call
a monthly out-of-sample R² of 1 % economically large, and an R² of 0.25 at five sessions is worth an annual Sharpe
ratio above 4 on a single symbol. So a correlation of 0.5 is taken for look-ahead and one of 0.2 (R² 0.04) is
reported. With little evidence a correlation of 0.5 happens by chance, so what is allowed is never below five standard
errors under independence, 5/√n with n the effective sample size, and never so much that a copy would pass.

It does not find a feature that knows the *size* of a return but not its sign (honest volatility does that too), nor
one that leaks in a small part of the rows only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.datasets.totals import aggregate, quoted

__all__ = ["COPY", "LOOK_AHEAD", "SUSPICIOUS", "allowed", "associations", "correlations"]

LOOK_AHEAD: Final = 0.5
SUSPICIOUS: Final = 0.2
COPY: Final = 0.999
_SAMPLE_ROWS: Final = 50_000
_STANDARD_ERRORS: Final = 5.0
_ROUNDING: Final = 1e-12

Column = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


def allowed(limit: float, *, effective_samples: float) -> float:
    """Return the correlation from which on a feature is refused (or reported).

    Examples
    --------
    >>> [allowed(LOOK_AHEAD, effective_samples=n) for n in (10_000, 50, 10)]
    [0.5, 0.7071067811865475, 0.999]
    """
    if effective_samples <= 0:
        return COPY
    return min(max(limit, _STANDARD_ERRORS / math.sqrt(effective_samples)), COPY)


def associations(rows: Any, *, features: Sequence[str], horizons: Sequence[int]) -> dict[str, float]:
    """Return two totals per feature, each the worst over all labels.

    Parameters
    ----------
    rows : pa.Table or pyarrow.dataset.Dataset
        With the features, and ``fwd_ret``, ``signed_ret`` and ``uniqueness`` per horizon; labels that are not
        there are not compared. At most 50,000 rows are looked at, drawn evenly with a fixed seed; that puts the
        standard error of a correlation below 0.005.
    features : sequence of str
        Column names.
    horizons : sequence of int
        In sessions.

    Returns
    -------
    dict
        ``look_ahead(f)`` and ``suspicious(f)``: the larger of |Pearson| and |rank| correlation over what is
        :func:`allowed` at the label's effective sample size; from 1 on the feature knows too much.
    """
    present = [name for name in features if _is_float(rows, name)]
    labels = [f"{kind}_{h}d" for h in horizons for kind in ("fwd_ret", "signed_ret")]
    labels = [name for name in labels if _is_float(rows, name)]
    if not present or not labels:
        return {f"{name}({feature})": 0.0 for feature in present for name in ("look_ahead", "suspicious")}
    sample = _sample(rows, columns=[*present, *labels])
    evidence = _effective_samples(rows, [f"uniqueness_{name.rsplit('_', 1)[1]}" for name in labels])
    strength = correlations(
        np.column_stack([sample[name] for name in present]),
        np.column_stack([sample[name] for name in labels]),
    )
    found: dict[str, float] = {}
    for name, limit in (("look_ahead", LOOK_AHEAD), ("suspicious", SUSPICIOUS)):
        ceiling = np.array([allowed(limit, effective_samples=n) for n in evidence])
        worst = (strength / ceiling).max(axis=1)
        found |= {f"{name}({feature})": float(value) for feature, value in zip(present, worst, strict=True)}
    return found


def correlations(left: Matrix, right: Matrix) -> Matrix:
    """Return the larger of |Pearson| and |rank correlation| of every pair of columns.

    Parameters
    ----------
    left : float64 array, shape (n, F)
    right : float64 array, shape (n, L)
        Rows where one of a pair is not finite are left out of that pair.

    Returns
    -------
    float64 array, shape (F, L)
        In [0, 1]; 0 where undefined: a constant column, or fewer than three rows.

    Examples
    --------
    >>> x = np.array([[1.0], [2.0], [3.0], [np.nan], [50.0]])
    >>> correlations(x, -(x**3)).round(6).tolist()
    [[1.0]]
    """
    ranked = _pearson(_ranks(left), _ranks(right))
    return np.maximum(_pearson(left, right), ranked)


def _pearson(left: Matrix, right: Matrix) -> Matrix:
    x, x_known = _standardised(left)
    y, y_known = _standardised(right)
    n = x_known.T @ y_known
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = x.T @ y - (x.T @ y_known) * (x_known.T @ y) / n
        x_spread = (x**2).T @ y_known - (x.T @ y_known) ** 2 / n
        y_spread = x_known.T @ (y**2) - (x_known.T @ y) ** 2 / n
        rho = np.abs(covariance) / np.sqrt(x_spread * y_spread)
    defined = (n >= 3) & (x_spread > _ROUNDING * n) & (y_spread > _ROUNDING * n)
    return np.where(defined, np.minimum(rho, 1.0), 0.0)


def _standardised(values: Matrix) -> tuple[Matrix, Matrix]:
    """Return columns with mean 0 and spread 1, 0 where not finite, and where they are finite (1 or 0)."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    plain = np.where(known, values, 0.0)
    # To the unit interval first: squares of very large or very small values leave the range of floats.
    largest = np.abs(plain).max(axis=0, initial=0.0)
    plain = plain / np.where(largest > 0, largest, 1.0)
    centred = np.where(known, plain - plain.sum(axis=0) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    return centred / np.where(spread > _ROUNDING, spread, 1.0), known.astype(np.float64)


def _ranks(values: Matrix) -> Matrix:
    """Return average ranks per column, NaN where not finite; equal values share their rank."""
    ranks = np.full(values.shape, np.nan)
    for number in range(values.shape[1]):
        known = np.isfinite(values[:, number])
        _, inverse, counts = np.unique(values[known, number], return_inverse=True, return_counts=True)
        ranks[known, number] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def _sample(rows: Any, *, columns: Sequence[str]) -> dict[str, Column]:
    is_table = isinstance(rows, pa.Table)
    total = rows.num_rows if is_table else rows.count_rows()
    chosen = np.arange(total)
    if total > _SAMPLE_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(total, size=_SAMPLE_ROWS, replace=False))
    names = list(columns)
    table = rows.select(names).take(chosen) if is_table else rows.take(chosen, columns=names)
    return {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in names}


def _effective_samples(rows: Any, weights: Sequence[str]) -> list[float]:
    """Return the sum of each weight, 0 for one that is not there."""
    known = sorted({name for name in weights if _is_float(rows, name)})
    sums = [f"sum({quoted(name)}) FILTER (WHERE isfinite({quoted(name)}))" for name in known]
    found = dict(zip(known, aggregate(rows, sums), strict=True)) if known else {}
    return [found.get(name) or 0.0 for name in weights]


def _is_float(rows: Any, name: str) -> bool:
    return name in rows.schema.names and pa.types.is_floating(rows.schema.field(name).type)
