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

__all__ = ["COPY", "LOOK_AHEAD", "SUSPICIOUS", "allowed", "associations", "correlation"]

LOOK_AHEAD: Final = 0.5
SUSPICIOUS: Final = 0.2
COPY: Final = 0.999
_SAMPLE_ROWS: Final = 200_000
_STANDARD_ERRORS: Final = 5.0

Column = npt.NDArray[np.float64]


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
        there are not compared. At most 200,000 rows are looked at, drawn evenly with a fixed seed.
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
    weights = {f"{h}d": f"uniqueness_{h}d" for h in horizons}
    wanted = [name for name in (*labels, *weights.values()) if _is_float(rows, name)]
    sample, share = _sample(rows, columns=[*present, *wanted])
    evidence = {
        suffix: float(np.nansum(sample[name])) / share for suffix, name in weights.items() if name in sample
    }
    found: dict[str, float] = {}
    for feature in present:
        known = [
            (correlation(sample[feature], sample[label]), evidence.get(label.rsplit("_", 1)[1], 0.0))
            for label in labels
            if label in sample
        ]
        for name, limit in (("look_ahead", LOOK_AHEAD), ("suspicious", SUSPICIOUS)):
            ratios = [rho / allowed(limit, effective_samples=n) for rho, n in known]
            found[f"{name}({feature})"] = max(ratios, default=0.0)
    return found


def correlation(one: Column, other: Column) -> float:
    """Return the larger of |Pearson| and |rank correlation| over pairs that are finite; 0 where undefined.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, np.nan, 50.0])
    >>> round(correlation(x, -(x**3)), 6)
    1.0
    """
    both = np.isfinite(one) & np.isfinite(other)
    left, right = one[both], other[both]
    return max(_pearson(left, right), _pearson(_ranks(left), _ranks(right)))


def _pearson(left: Column, right: Column) -> float:
    if len(left) < 3 or left.min() == left.max() or right.min() == right.max():
        return 0.0
    # To the unit interval first: squares of very large or very small values leave the range of floats.
    left = (left - left.mean()) / np.abs(left).max()
    right = (right - right.mean()) / np.abs(right).max()
    scale = math.sqrt(float(left @ left) * float(right @ right))
    return min(abs(float(left @ right)) / scale, 1.0) if scale > 0 else 0.0


def _ranks(values: Column) -> Column:
    """Return average ranks; equal values share theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)


def _sample(rows: Any, *, columns: Sequence[str]) -> tuple[dict[str, Column], float]:
    total = rows.num_rows if isinstance(rows, pa.Table) else rows.count_rows()
    if total > _SAMPLE_ROWS:
        chosen = np.random.default_rng(0).choice(total, size=_SAMPLE_ROWS, replace=False)
        taken = np.sort(chosen)
        table = (
            rows.select(list(columns)).take(taken)
            if isinstance(rows, pa.Table)
            else rows.take(taken, columns=list(columns))
        )
    else:
        table = (
            rows.select(list(columns)) if isinstance(rows, pa.Table) else rows.to_table(columns=list(columns))
        )
    share = table.num_rows / total if total else 1.0
    return {name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in columns}, share


def _is_float(rows: Any, name: str) -> bool:
    return name in rows.schema.names and pa.types.is_floating(rows.schema.field(name).type)
