"""Rise of a share: refusals, broken outputs, uncovered claims, slow answers. A fall is no drift."""

from __future__ import annotations

import numpy as np
from scipy.stats import betabinom

from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.calibration import draw_blocks, plan_blocks
from ordinis_learn.drift.measurement import Judgement, Measured
from ordinis_learn.drift.null import Null
from ordinis_learn.drift.psi import population_stability_index

__all__ = ["measure_share_rise"]


def measure_share_rise(
    feature: str, metric: str, *, before: Float2D, now: Float2D, judgement: Judgement
) -> Measured | None:
    """Measure by how much a share has risen.

    Two views of the same noise, of which the more cautious holds: blocks of the reference's days, which know that days
    differ and remember each other; and the beta-binomial law of so many answers given the reference's (prior of
    Jeffreys), which knows that what happened in none of forty answers may happen in one of the next ten. The effect
    is the PSI over the two bins yes and no, over the floor.

    Parameters
    ----------
    before, now : float64 arrays, shapes (T, 2) and (m, 2)
        For each day how many did, and of how many.

    Returns
    -------
    Measured, optional
        Of one window; None where a side has nothing to count.

    Examples
    --------
    >>> judgement = Judgement(draws=199, seed=1, alpha=0.05, psi_floor=0.2)
    >>> before, now = np.tile([1.0, 50.0], (40, 1)), np.tile([15.0, 50.0], (5, 1))
    >>> found = measure_share_rise("answers", "refusal_rise", before=before, now=now, judgement=judgement)
    >>> found.values.round(2), found.p_values, found.effects.round(1)
    (array([0.28]), array([0.005]), array([4.3]))
    """
    reference, current = before.sum(axis=0), now.sum(axis=0)
    if not reference[1] or not current[1]:
        return None
    plan = plan_blocks(_centred(before), current_sessions=len(now))
    drawn = draw_blocks(before, plan, draws=judgement.draws, seed=judgement.seed)
    null = Null.of(_rise(reference, drawn))
    value = _rise(reference, current[None, :])
    law = betabinom(int(current[1]), reference[0] + 0.5, reference[1] - reference[0] + 0.5)
    by_law = law.sf(current[0] - 1.0) if value[0] > 0 else 1.0
    most = float(law.ppf(1.0 - judgement.alpha)) / current[1] - reference[0] / reference[1]
    return Measured(
        feature=feature,
        metric=metric,
        values=value,
        threshold=max(null.threshold(judgement.alpha), most),
        p_values=np.maximum(null.p_values(value), by_law),
        effects=_effect(reference, current) / judgement.psi_floor * (value > 0),
    )


def _rise(reference: Float1D, sums: Float2D) -> Float1D:
    share = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] > 0)
    rise: Float1D = np.maximum(share - reference[0] / reference[1], 0.0)
    return rise


def _centred(by_day: Float2D) -> Float1D:
    total, count = by_day.sum(axis=0)
    centred: Float1D = by_day[:, 0] - by_day[:, 1] * (total / count)
    return centred


def _effect(reference: Float1D, current: Float1D) -> Float1D:
    yes_and_no = [np.array([sums[0], sums[1] - sums[0]]) for sums in (reference, current)]
    return np.atleast_1d(population_stability_index(yes_and_no[0], yes_and_no[1]))
