"""Distances beside their null distribution, before the false discovery rate is controlled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ordinis_learn.drift.binning import Counts, Float1D, Float2D
from ordinis_learn.drift.calibration import draw_blocks, influence_series, plan_blocks, thin
from ordinis_learn.drift.column import ColumnReference
from ordinis_learn.drift.constant import Constant
from ordinis_learn.drift.detector import Detector, ReferenceCounts
from ordinis_learn.drift.jensen_shannon import JensenShannon
from ordinis_learn.drift.kolmogorov_smirnov import KolmogorovSmirnov
from ordinis_learn.drift.missing_rate import MissingRate, missing_effect
from ordinis_learn.drift.new_values import NewValues, new_value_effect
from ordinis_learn.drift.null import Null, WindowLaw
from ordinis_learn.drift.psi import PopulationStability
from ordinis_learn.drift.wasserstein import Wasserstein

__all__ = ["DETECTORS", "Judgement", "Measured", "calibrate_column", "measure_column"]

_PSI: Final = PopulationStability()
_MISSING: Final = MissingRate()
_NEW: Final = NewValues()
_MOST_WINDOWS: Final = 60
_FEWEST_WINDOWS: Final = 8
DETECTORS: Final[tuple[Detector, ...]] = (
    _PSI,
    JensenShannon(),
    KolmogorovSmirnov(),
    Wasserstein(),
    Constant(),
    _NEW,
    _MISSING,
)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How a check judges: null draws and their seed, level of the threshold, floor of a material PSI."""

    draws: int
    seed: int
    alpha: float
    psi_floor: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """One metric of one feature over n windows.

    Attributes
    ----------
    feature, metric : str
    values : float64 array, shape (n,)
        NaN where a window holds nothing to measure: there it is no test.
    threshold : float
        The null's quantile at 1 − alpha.
    p_values : float64 array, shape (n,)
    effects : float64 array, shape (n,)
        Multiples of what counts as material: from 1 on it does.
    """

    feature: str
    metric: str
    values: Float1D
    threshold: float
    p_values: Float1D
    effects: Float1D


def calibrate_column(
    column: ColumnReference,
    *,
    window_sessions: int,
    judgement: Judgement,
    row_share: float = 1.0,
    detectors: Sequence[Detector] = DETECTORS,
) -> dict[str, Null]:
    """Return each applicable metric's null for windows of so many sessions.

    ``row_share`` is how many rows a session has beside the reference's: fewer rows are noisier. More than the
    reference's are not.

    It depends on the reference alone: a year of daily checks needs it once.
    """
    by_session = column.counts.by_session
    plan = plan_blocks(*influence_series(by_session), current_sessions=window_sessions)
    drawn = draw_blocks(by_session, plan, draws=judgement.draws, seed=judgement.seed)
    drawn = thin(drawn, share=row_share, seed=judgement.seed)
    reference = column.as_counts
    applicable = [detector for detector in detectors if detector.applies(reference)]
    apart = _windows_apart(reference, by_session, window_sessions=window_sessions)
    return {
        detector.metric: Null.of(
            detector.distance(reference, drawn),
            windows=_window_law(detector, apart, windows=len(by_session) / window_sessions),
        )
        for detector in applicable
    }


def _windows_apart(
    reference: ReferenceCounts, by_session: Float2D, *, window_sessions: int
) -> list[tuple[ReferenceCounts, Float2D]]:
    """Return windows of the reference, each with the rest of it; none where fewer than eight fit in."""
    last = len(by_session) - window_sessions
    if len(by_session) < _FEWEST_WINDOWS * window_sessions:
        return []
    cumulative = np.concatenate([np.zeros_like(by_session[:1]), np.cumsum(by_session, axis=0)])
    starts = np.unique(np.linspace(0, last, min(_MOST_WINDOWS, last + 1)).astype(np.int64))
    windows = cumulative[starts + window_sessions] - cumulative[starts]
    return [
        (replace(reference, counts=cumulative[-1] - window), window[None, :])
        for window in windows
        if window[:-1].sum() and (cumulative[-1] - window)[:-1].sum()
    ]


def _window_law(
    detector: Detector, apart: Sequence[tuple[ReferenceCounts, Float2D]], *, windows: float
) -> WindowLaw | None:
    distances = [detector.distance(rest, window)[0] for rest, window in apart]
    return WindowLaw.of(np.array(distances), windows=windows)


def measure_column(
    feature: str,
    *,
    column: ColumnReference,
    nulls: Mapping[str, Null],
    current: Counts,
    windows: Float2D,
    judgement: Judgement,
) -> list[Measured]:
    """Measure every applicable distance of one column, window by window.

    The effect is the PSI over the floor; for the missing rate the PSI of known/missing, for new values that of
    seen/new. Where nothing is known in a window, only its missing rate is measured.

    Parameters
    ----------
    current : Counts
        All current rows; it locates the rows of each bin.
    windows : float64 array, shape (n, B + 1)
        Rows per bin of each window.
    """
    reference = column.beside(current)
    unknown = windows[:, :-1].sum(axis=1) == 0
    psi = _PSI.distance(reference, windows) / judgement.psi_floor
    effects = {
        _MISSING.metric: missing_effect(reference.counts, windows) / judgement.psi_floor,
        _NEW.metric: new_value_effect(reference, windows) / judgement.psi_floor,
    }
    return [
        _compare(
            feature,
            detector,
            reference=reference,
            windows=windows,
            null=nulls[detector.metric],
            effects=effects.get(detector.metric, psi),
            unknown=unknown,
            alpha=judgement.alpha,
        )
        for detector in DETECTORS
        if detector.metric in nulls
    ]


def _compare(
    feature: str,
    detector: Detector,
    *,
    reference: ReferenceCounts,
    windows: Float2D,
    null: Null,
    effects: Float1D,
    unknown: Float1D,
    alpha: float,
) -> Measured:
    values = detector.distance(reference, windows)
    if detector is not _MISSING:
        values = np.where(unknown, np.nan, values)
    return Measured(
        feature=feature,
        metric=detector.metric,
        values=values,
        threshold=null.threshold(alpha),
        p_values=null.p_values(values),
        effects=np.where(np.isnan(effects), 0.0, effects),
    )
