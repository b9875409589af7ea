"""Declines of a model's performance beside their null."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ordinis_learn.drift.binning import Float2D, Int1D
from ordinis_learn.drift.calibration import draw_blocks, plan_blocks
from ordinis_learn.drift.calibration_error import CalibrationError
from ordinis_learn.drift.measurement import Judgement, Measured
from ordinis_learn.drift.null import Null
from ordinis_learn.drift.outcome import MeanDecline
from ordinis_learn.drift.performance import PerformanceMetric
from ordinis_learn.drift.rank_ic import RankICDecline
from ordinis_learn.drift.scores import Scores
from ordinis_learn.drift.sharpe_decline import SharpeDecline

__all__ = ["measure_performance", "performance_metrics"]


def performance_metrics(*, horizon_sessions: int) -> tuple[PerformanceMetric, ...]:
    """Return the measures for outcomes over a horizon."""
    return (
        MeanDecline(),
        SharpeDecline(horizon_sessions=horizon_sessions),
        RankICDecline(),
        CalibrationError(),
    )


def measure_performance(
    metrics: Sequence[PerformanceMetric],
    *,
    reference: Scores,
    reference_session: Int1D,
    current: Scores,
    current_session: Int1D,
    judgement: Judgement,
) -> list[Measured]:
    """Measure each decline that both sides allow, over all current sessions as one window.

    Parameters
    ----------
    reference_session, current_session : int64 arrays
        The session of each row, numbered from 0.
    """
    measured = []
    for metric in metrics:
        before = _by_session(metric, reference, session=reference_session)
        now = _by_session(metric, current, session=current_session)
        if before is not None and now is not None:
            measured += _measure(metric, before=before, now=now, judgement=judgement)
    return measured


def _by_session(metric: PerformanceMetric, scores: Scores, *, session: Int1D) -> Float2D | None:
    return metric.by_session(scores, session=session, sessions=int(session.max(initial=-1)) + 1)


def _measure(
    metric: PerformanceMetric, *, before: Float2D, now: Float2D, judgement: Judgement
) -> list[Measured]:
    reference = before.sum(axis=0)
    values = metric.decline(reference, now.sum(axis=0)[None, :])
    if np.isnan(values[0]):  # not known yet, on one side or the other
        return []
    plan = plan_blocks(metric.influence(before), current_sessions=len(now))
    drawn = draw_blocks(before, plan, draws=judgement.draws, seed=judgement.seed)
    null = Null.of(metric.decline(reference, drawn))
    return [
        Measured(
            feature="outcome",
            metric=metric.metric,
            values=values,
            threshold=null.threshold(judgement.alpha),
            p_values=null.p_values(values),
            effects=values / metric.material(reference),
        )
    ]
