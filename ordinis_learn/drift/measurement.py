"""Distances beside their null distribution, before the false discovery rate is controlled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ordinis_learn.drift.binning import Float1D, Float2D, Int1D, fine_bins
from ordinis_learn.drift.calibration import draw_blocks, exceedance, influence_series, plan_blocks
from ordinis_learn.drift.constant import Constant
from ordinis_learn.drift.detector import Detector
from ordinis_learn.drift.kolmogorov_smirnov import KolmogorovSmirnov
from ordinis_learn.drift.missing_rate import MissingRate, missing_effect
from ordinis_learn.drift.outcome import outcome_by_session, outcome_decline
from ordinis_learn.drift.psi import PopulationStability
from ordinis_learn.drift.wasserstein import Wasserstein
from ordinis_learn.records import FeatureProfile

__all__ = ["DETECTORS", "Judgement", "Measurement", "Sample", "measure_feature", "measure_outcome"]

_PSI = PopulationStability()
_MISSING = MissingRate()
DETECTORS: tuple[Detector, ...] = (_PSI, KolmogorovSmirnov(), Wasserstein(), Constant(), _MISSING)


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One column of rows: ``values`` (NaN where missing) and each row's ``session``, numbered from 0."""

    values: Float1D
    session: Int1D
    sessions: int


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How a check judges: null draws and their seed, level of the threshold, floor of a material PSI."""

    draws: int
    seed: int
    alpha: float
    psi_floor: float


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A distance, the null's quantile at 1 − alpha, its p-value, and how large the change is.

    ``effect`` is a multiple of what counts as material: from 1 on it does.
    """

    feature: str
    metric: str
    value: float
    threshold: float
    p_value: float
    effect: float


def measure_feature(
    feature: str, *, profile: FeatureProfile, reference: Sample, current: Sample, judgement: Judgement
) -> list[Measurement]:
    """Measure every distance of one feature; only the missing rate where no current value is known.

    The effect is the feature's PSI over the floor; for the missing rate, the PSI of known/missing.
    """
    bins = fine_bins(profile, reference=reference.values, current=current.values)
    by_session = bins.count_by_session(
        reference.values, session=reference.session, sessions=reference.sessions
    )
    before, now = by_session.sum(axis=0), bins.count(current.values)[None, :]
    drawn = _draw_null(by_session, reference=reference, current=current, judgement=judgement)
    known = bool(now[0, :-1].sum())
    psi = _PSI.distance(bins, reference=before, current=now)[0]
    gap = missing_effect(before, now)[0]
    return [
        _compare(
            feature,
            detector.metric,
            observed=detector.distance(bins, reference=before, current=now),
            null=detector.distance(bins, reference=before, current=drawn),
            alpha=judgement.alpha,
            effect=(gap if detector is _MISSING else psi) / judgement.psi_floor,
        )
        for detector in DETECTORS
        if known or detector is _MISSING
    ]


def measure_outcome(*, reference: Sample, current: Sample, judgement: Judgement) -> list[Measurement]:
    """Measure the decline of the mean outcome; nothing where either side has no known outcome.

    The effect is the decline over half of the reference's mean: losing half of it is material.
    """
    by_session = outcome_by_session(reference.values, session=reference.session, sessions=reference.sessions)
    now = outcome_by_session(current.values, session=current.session, sessions=current.sessions)
    before, total = by_session.sum(axis=0), now.sum(axis=0)[None, :]
    if not before[1] or not total[0, 1]:
        return []
    mean = before[0] / before[1]
    plan = plan_blocks(by_session[:, 0] - by_session[:, 1] * mean, current_sessions=current.sessions)
    drawn = draw_blocks(by_session, plan, draws=judgement.draws, seed=judgement.seed)
    observed = outcome_decline(before, total)
    return [
        _compare(
            "outcome",
            "mean_decline",
            observed=observed,
            null=outcome_decline(before, drawn),
            alpha=judgement.alpha,
            effect=observed[0] / (abs(mean) / 2.0) if mean else np.inf,
        )
    ]


def _draw_null(by_session: Float2D, *, reference: Sample, current: Sample, judgement: Judgement) -> Float2D:
    influences = influence_series(reference.values, session=reference.session, sessions=reference.sessions)
    plan = plan_blocks(*influences, current_sessions=current.sessions)
    return draw_blocks(by_session, plan, draws=judgement.draws, seed=judgement.seed)


def _compare(
    feature: str, metric: str, *, observed: Float1D, null: Float1D, alpha: float, effect: float
) -> Measurement:
    seen = null[np.isfinite(null)]
    return Measurement(
        feature=feature,
        metric=metric,
        value=float(observed[0]),
        threshold=float(np.quantile(seen, 1.0 - alpha)) if seen.size else 0.0,
        p_value=exceedance(seen, float(observed[0])),
        effect=float(effect),
    )
