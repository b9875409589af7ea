"""Conditional shift: has a feature moved against the others.

What moves a whole market moves most features at once, and months in which all of them lie elsewhere are in every long
reference: a volatility that trebled beside a calm index is not. What the others do not explain of a feature has a narrower
null than the feature itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.binning import Bins, Float2D, Int1D
from ordinis_learn.drift.calibration import halved
from ordinis_learn.drift.column import ColumnReference
from ordinis_learn.drift.joint_sample import JointSample, normal_scores
from ordinis_learn.drift.measurement import Judgement, Measured, calibrate_column
from ordinis_learn.drift.null import Null
from ordinis_learn.drift.psi import PopulationStability

__all__ = ["ConditionalShift"]

_PSI: Final = PopulationStability()
_RIDGE: Final = 0.1
"""Of the features' variance: against a near copy of itself a feature's rest is never finer than a tenth."""
_DECILES: Final = np.linspace(0.0, 1.0, 11)[1:-1]
_MOST_FEATURES: Final = 24
_FEWEST_WINDOWS: Final = 8
_KNOWN_SHARE: Final = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class _Rest:
    """One feature's rest in the reference, by deciles, and its null."""

    column: ColumnReference
    null: Null


class ConditionalShift:
    """The population stability index of what a regression on the other features leaves of each.

    Regressions are linear in normal scores and ridged; rows in which one of the features is missing are left out, and a
    feature that is missing in more than a tenth of the recent rows is left out itself: it is found by its missing rate,
    and must not make its neighbours look moved.

    Parameters
    ----------
    sample : JointSample
    columns : mapping of str to ColumnReference
    sessions : int
        T, of the reference.
    """

    metric: Final = "psi_given_rest"

    def __init__(self, sample: JointSample, *, columns: Mapping[str, ColumnReference], sessions: int) -> None:
        self._sample = sample
        self._columns = columns
        self._sessions = sessions
        self._known: dict[tuple[tuple[int, ...], int, float, Judgement], tuple[Float2D, list[_Rest]]] = {}

    def applies(self, *, window_sessions: int) -> bool:
        """Tell whether there are others to explain a feature by (at most 24), and eight windows to know the noise from."""
        return (
            1 < len(self._sample.names) <= _MOST_FEATURES
            and self._sessions >= _FEWEST_WINDOWS * window_sessions
        )

    def measure(
        self, bins: npt.NDArray[np.integer], *, window_sessions: int, judgement: Judgement
    ) -> list[Measured]:
        """Measure one window, a finding per feature.

        Parameters
        ----------
        bins : integer array, shape (n, F)
            The bin of each value, as in the reference's sample.
        window_sessions : int
        judgement : Judgement
        """
        known = self._is_known(bins)
        there = np.flatnonzero(known.mean(axis=0) >= _KNOWN_SHARE)
        if len(there) < 2:
            return []
        rows = bins[known[:, there].all(axis=1)]
        if not len(rows):
            return []
        usual = len(self._sample.session) / self._sessions
        coefficients, rests = self._of_reference(
            there,
            window_sessions=window_sessions,
            row_share=halved(len(rows) / window_sessions / usual),
            judgement=judgement,
        )
        left = self._scores(rows, there) @ coefficients
        names = [self._sample.names[place] for place in there]
        return [
            _measured(name, rest, left[:, k], judgement=judgement)
            for k, (name, rest) in enumerate(zip(names, rests, strict=True))
        ]

    def _is_known(self, bins: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        return bins < np.array([len(self._columns[name].bins) for name in self._sample.names])

    def _scores(self, bins: npt.NDArray[np.integer], there: Int1D) -> Float2D:
        names = tuple(self._sample.names[place] for place in there)
        return normal_scores(bins[:, there], names=names, columns=self._columns)

    def _of_reference(
        self, there: Int1D, *, window_sessions: int, row_share: float, judgement: Judgement
    ) -> tuple[Float2D, list[_Rest]]:
        """Return what turns scores into rests, shape (f, f), and each feature's rest; found once."""
        key = (tuple(there.tolist()), window_sessions, row_share, judgement)
        if key not in self._known:
            complete = self._is_known(self._sample.bins)[:, there].all(axis=1)
            scores = self._scores(self._sample.bins[complete], there)
            coefficients = _leaving_out(scores)
            left = scores @ coefficients
            session = self._sample.session[complete]
            self._known[key] = (
                coefficients,
                [
                    self._rest(
                        left[:, k],
                        session=session,
                        window_sessions=window_sessions,
                        row_share=row_share,
                        judgement=judgement,
                    )
                    for k in range(len(there))
                ],
            )
        return self._known[key]

    def _rest(
        self,
        left: npt.NDArray[np.float64],
        *,
        session: Int1D,
        window_sessions: int,
        row_share: float,
        judgement: Judgement,
    ) -> _Rest:
        cuts = np.unique(np.quantile(left, _DECILES)) if len(left) else np.zeros(1)
        bins = Bins(cuts=cuts)
        column = ColumnReference(
            bins=bins,
            group_starts=np.arange(len(bins), dtype=np.int64),
            counts=bins.count(left, session=session, sessions=self._sessions),
            scale=float(left.std()) if len(left) else 0.0,
            categorical=False,
        )
        nulls = calibrate_column(
            column,
            window_sessions=window_sessions,
            row_share=row_share,
            judgement=judgement,
            detectors=(_PSI,),
        )
        return _Rest(column=column, null=nulls[_PSI.metric])


def _leaving_out(scores: Float2D) -> Float2D:
    """Return the matrix whose column j takes from feature j what a ridge regression on the others says of it.

    With P the inverse of the ridged covariance these are P_ij / P_jj (Lauritzen 1996, *Graphical Models*, 5.1).
    """
    features = scores.shape[1]
    covariance = scores.T @ scores / max(len(scores), 1) + _RIDGE * np.eye(features)
    precision = np.linalg.inv(covariance)
    coefficients: Float2D = precision / np.diag(precision)
    return coefficients


def _measured(name: str, rest: _Rest, left: npt.NDArray[np.float64], *, judgement: Judgement) -> Measured:
    session = np.zeros(len(left), dtype=np.int64)
    now = rest.column.bins.count(left, session=session, sessions=1).total[None, :]
    values = _PSI.distance(rest.column.as_counts, now)
    return Measured(
        feature=name,
        metric=ConditionalShift.metric,
        values=values,
        threshold=rest.null.threshold(judgement.alpha),
        p_values=rest.null.p_values(values),
        effects=np.where(np.isnan(values), 0.0, values / judgement.psi_floor),
    )
