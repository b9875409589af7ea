"""How far class scores may be believed, learnt from rows that the fits have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

__all__ = ["HeldOutScores", "fit_sharpness", "log_loss"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]

_MOST: Final = 5.0
"""Scores are not made sharper than this: a fold without a single miss would ask for infinity."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutScores:
    """Scores of rows that were not trained on, with what came.

    Attributes
    ----------
    scores : array, shape (m, K)
        Logits.
    label : array, shape (m,)
        The number of the class that came.
    weight : array, shape (m,)
    shares : array, shape (K,)
        Of the classes among the rows that were trained on.
    """

    scores: Float2D
    label: Float1D
    weight: Float1D
    shares: Float1D


def log_loss(scores: Float2D, *, label: Float1D, weight: Float1D) -> float:
    """Compute the weighted mean of −log p of the class that came; NaN for no rows.

    Parameters
    ----------
    scores : array, shape (n, K)
        Logits.
    label, weight : arrays, shape (n,)

    Examples
    --------
    >>> log_loss(np.zeros((2, 2)), label=np.array([0.0, 1.0]), weight=np.ones(2)).__round__(4)
    0.6931
    """
    if not len(scores):
        return float("nan")
    top = scores.max(axis=1)
    total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    came = scores[np.arange(len(scores)), label.astype(np.intp)]
    return float(np.average(total - came, weights=weight))


def fit_sharpness(folds: Sequence[HeldOutScores]) -> float:
    """Return the sharpness with the least log loss on held-out rows, in [0, 5]; 1 without any.

    It is the inverse temperature of Guo et al. (2017) around each fold's own base rates
    (:func:`ordinis_learn.models.class_forecaster.calibrated_probabilities`): 0 where the scores tell nothing beyond them. The
    loss is convex in it, so that there is one minimum.

    Examples
    --------
    Scores that are twice as sure as they should be:

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=20_000)
    >>> came = (rng.uniform(size=20_000) < 1.0 / (1.0 + np.exp(-true))).astype(float)
    >>> held = HeldOutScores(
    ...     scores=np.stack([np.zeros(20_000), 2.0 * true], axis=1),
    ...     label=came,
    ...     weight=np.ones(20_000),
    ...     shares=np.array([0.5, 0.5]),
    ... )
    >>> round(fit_sharpness([held]), 1)
    0.5
    """
    if not folds:
        return 1.0
    bases = [np.log(fold.shares) for fold in folds]
    weights = np.array([fold.weight.sum() for fold in folds])

    def loss(sharpness: float) -> float:
        losses = [
            log_loss(base + sharpness * (fold.scores - base), label=fold.label, weight=fold.weight)
            for base, fold in zip(bases, folds, strict=True)
        ]
        return float(np.average(losses, weights=weights))

    found = minimize_scalar(loss, bounds=(0.0, _MOST), method="bounded", options={"xatol": 1e-4})
    ends = {edge: loss(edge) for edge in (0.0, float(found.x), _MOST)}
    return min(ends, key=lambda edge: ends[edge])
