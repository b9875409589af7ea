"""A dataset in numbers: feature distributions, labels and their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.labelling import effective_samples
from ordinis_learn.records import FeatureProfile, JoinQuality, LabelStats

__all__ = ["PROFILE_BINS", "join_quality", "label_stats", "profile_feature"]

PROFILE_BINS: Final = 10
"""Quantile bins of a feature profile, the customary number for a population stability index."""


def profile_feature(values: npt.ArrayLike) -> FeatureProfile:
    """Summarise a feature into at most :data:`PROFILE_BINS` quantile bins.

    Equal quantiles are merged, so a feature with few distinct values gets fewer bins. ``missing`` counts
    everything that is not finite; statistics are None and the bins empty where nothing is.

    Examples
    --------
    >>> profile = profile_feature([1.0, 2.0, 3.0, 4.0, float("nan")])
    >>> profile.count, profile.missing, profile.mean, sum(profile.counts)
    (5, 1, 2.5, 4)
    """
    column = np.asarray(values, dtype=np.float64)
    finite = column[np.isfinite(column)]
    missing = int(column.size - finite.size)
    if finite.size == 0:
        nothing = dict.fromkeys(("mean", "std", "minimum", "maximum"))
        return FeatureProfile(count=column.size, missing=missing, edges=(), counts=(), **nothing)
    edges = np.unique(np.quantile(finite, np.linspace(0.0, 1.0, PROFILE_BINS + 1)))
    if edges.size == 1:
        edges = np.repeat(edges, 2)
    counts, _ = np.histogram(finite, bins=edges)
    return FeatureProfile(
        count=column.size,
        missing=missing,
        mean=float(finite.mean()),
        std=_std(finite),
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def label_stats(table: pa.Table, *, horizons: Sequence[int]) -> dict[str, LabelStats]:
    """Return statistics of ``signed_ret`` per horizon, keyed ``1d``, ``5d``, ...; None where undefined."""
    return {f"{horizon}d": _label_stats(table, f"{horizon}d") for horizon in horizons}


def join_quality(table: pa.Table) -> JoinQuality:
    """Count rows by the key that joined them to their execution."""
    found = {entry["values"]: entry["counts"] for entry in table["join_quality"].value_counts().to_pylist()}
    return JoinQuality(**found)


def _label_stats(table: pa.Table, suffix: str) -> LabelStats:
    label = table[f"signed_ret_{suffix}"].drop_null().to_numpy()
    return LabelStats(
        labelled=len(label),
        mean=float(label.mean()) if len(label) else None,
        std=_std(label),
        positive_share=float((label > 0).mean()) if len(label) else None,
        effective_samples=effective_samples(table[f"uniqueness_{suffix}"].to_numpy()),
    )


def _std(values: npt.NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None
