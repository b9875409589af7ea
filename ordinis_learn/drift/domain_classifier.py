"""Joint shift: can a classifier tell recent rows from the reference although no single feature moved.

A linear discriminant on normal scores and their products sees what univariate distances cannot: a correlation that
changed its sign. Its accuracy is measured out of fold, folds being stretches of sessions, and compared with the accuracy
it reaches on stretches of the reference itself, which remember their neighbours just as the recent one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.stats import rankdata
from scipy.stats import t as student

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D
from ordinis_learn.drift.column import ColumnReference
from ordinis_learn.drift.joint_sample import JointSample, normal_scores
from ordinis_learn.drift.measurement import Measured

__all__ = ["MATERIAL_AUC", "DomainClassifier", "area_under_curve"]

MATERIAL_AUC: Final = 0.624
"""Φ(d / √2) at the shift d of one normal feature whose population stability index, d², is 0.2."""

_FOLDS: Final = 4
_RIDGE: Final = 1e-3
_MOST_WINDOWS: Final = 60
_FEWEST_WINDOWS: Final = 4
_MOST_FEATURES_WITH_PRODUCTS: Final = 24


def area_under_curve(negative: Float1D, positive: Float1D) -> float:
    """Return the probability that a positive scores above a negative, ties counting half; NaN without either.

    Examples
    --------
    >>> area_under_curve(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    m, n = len(negative), len(positive)
    if not m or not n:
        return float("nan")
    ranks = rankdata(np.concatenate([negative, positive]))[m:]
    return float((ranks.sum() - n * (n + 1) / 2.0) / (m * n))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Whitening:
    """Centre and scale of the reference: afterwards its covariance is the identity."""

    mean: Float1D
    root: Float2D

    @classmethod
    def of(cls, features: Float2D) -> _Whitening:
        mean = features.mean(axis=0)
        covariance = np.atleast_2d(np.cov(features, rowvar=False))
        ridge = _RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-12)
        root = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance))).astype(np.float64)
        return cls(mean=mean, root=root)

    def __call__(self, features: Float2D) -> Float2D:
        whitened: Float2D = solve_triangular(self.root, (features - self.mean).T, lower=True).T
        return whitened


class DomainClassifier:
    """Fisher's discriminant between the reference and a window, with the reference's covariance.

    Missing values stand in the middle: that they are missing is the business of the missing rate.

    Parameters
    ----------
    sample : JointSample
    columns : mapping of str to ColumnReference
    sessions : int
        T, of the reference.

    References
    ----------
    Fisher, R. A. (1936), The use of multiple measurements in taxonomic problems; Ben-David, S. et al. (2010), A theory
    of learning from different domains.
    """

    metric: Final = "domain_auc"

    def __init__(self, sample: JointSample, *, columns: Mapping[str, ColumnReference], sessions: int) -> None:
        self._columns = columns
        self._names = sample.names
        scores = _with_products(normal_scores(sample.bins, names=sample.names, columns=columns))
        self._whiten = _Whitening.of(scores)
        self._reference = self._whiten(scores)
        self._session = sample.session
        self._sessions = sessions
        self._nulls: dict[int, Float1D] = {}

    def applies(self, *, window_sessions: int) -> bool:
        """Tell whether the reference holds at least four such windows: fewer do not show their own spread."""
        return len(self._names) > 1 and self._sessions >= _FEWEST_WINDOWS * window_sessions

    def measure(self, bins: npt.NDArray[np.integer], *, session: Int1D, alpha: float) -> Measured:
        """Measure one window.

        Parameters
        ----------
        bins : integer array, shape (n, F)
            The bin of each value, as in the reference's sample.
        session : int64 array, shape (n,)
            Numbered from 0 to the last one of the window.
        alpha : float
            Level of the threshold.

        Notes
        -----
        The window is one more draw beside those of the reference: its p-value is that of Student's prediction interval
        with as many draws as the reference holds windows end to end, for those that overlap are no news.
        """
        window_sessions = int(session.max()) + 1
        current = self._whiten(_with_products(normal_scores(bins, names=self._names, columns=self._columns)))
        observed = _discrimination(self._reference, self._session, current, session)
        null = self._null(window_sessions)
        independent = self._sessions / window_sessions
        spread = float(null.std(ddof=1)) * np.sqrt(1.0 + 1.0 / independent)
        law = student(df=independent - 1.0, loc=float(null.mean()), scale=max(spread, 1e-12))
        return Measured(
            feature="joint",
            metric=self.metric,
            values=np.array([observed]),
            threshold=float(law.ppf(1.0 - alpha)),
            p_values=np.array([law.sf(observed)]),
            effects=np.array([max(observed - 0.5, 0.0) / (MATERIAL_AUC - 0.5)]),
        )

    def _null(self, window_sessions: int) -> Float1D:
        """Return the accuracy on stretches of the reference against the rest of it; found once for each length."""
        if window_sessions not in self._nulls:
            self._nulls[window_sessions] = self._stretches(window_sessions)
        return self._nulls[window_sessions]

    def _stretches(self, window_sessions: int) -> Float1D:
        last = self._sessions - window_sessions
        starts = np.unique(np.linspace(0, last, min(_MOST_WINDOWS, last + 1)).astype(np.int64))
        return np.array([self._stretch(start, window_sessions) for start in starts])

    def _stretch(self, start: int, window_sessions: int) -> float:
        inside = (self._session >= start) & (self._session < start + window_sessions)
        return _discrimination(
            self._reference[~inside],
            self._session[~inside],
            self._reference[inside],
            self._session[inside] - start,
        )


def _discrimination(
    reference: Float2D, reference_session: Int1D, current: Float2D, current_session: Int1D
) -> float:
    """Return the mean area under the curve over the folds; a fold is one stretch of either side."""
    before, now = _folds(reference_session), _folds(current_session)
    areas = []
    for fold in range(_FOLDS):
        left, right = before == fold, now == fold
        if left.all() or right.all() or not left.any() or not right.any():
            continue
        direction = current[~right].mean(axis=0) - reference[~left].mean(axis=0)
        areas.append(area_under_curve(reference[left] @ direction, current[right] @ direction))
    return float(np.mean(areas)) if areas else 0.5


def _folds(session: Int1D) -> Int1D:
    """Return the quarter of its side that each row lies in, in the order of time."""
    _, dense = np.unique(session, return_inverse=True)
    quarter: Int1D = dense * _FOLDS // (int(dense.max(initial=0)) + 1)
    return quarter


def _with_products(scores: Float2D) -> Float2D:
    """Append all pairwise products, squares too, of at most 24 columns; of more than that the squares only."""
    count = scores.shape[1]
    if count > _MOST_FEATURES_WITH_PRODUCTS:
        return np.concatenate([scores, scores**2], axis=1)
    left, right = np.triu_indices(count)
    return np.concatenate([scores, scores[:, left] * scores[:, right]], axis=1)
