"""One model's daily record over a pack, and which of its sessions are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import USUAL_LIMITS, Pack, run_backtest, targets_from_predictions
from ordinis_learn.evaluation.metrics import MetricSet, compute_metrics
from ordinis_learn.evaluation.predictions import predict_grid
from ordinis_learn.market import FeatureCube
from ordinis_learn.models import SignalModel
from ordinis_learn.records import BenchWindow, TradingLimits

__all__ = ["DECISION_CADENCE_SESSIONS", "Track", "run_track", "sessions_in"]

Float1D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]

DECISION_CADENCE_SESSIONS: Final = 5
"""Models decide once a trading week; in between positions stand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """One model's daily record over the whole pack; arrays have shape (T,), rates are shares of the rows asked."""

    returns: Float1D
    turnover: Float1D
    exposure: Float1D
    errors: int
    error_rate: float
    quarantine_rate: float

    def measure(self, keep: Bool1D) -> MetricSet:
        """Compute every metric over the sessions to keep."""
        return compute_metrics(self.returns[keep], turnover=self.turnover[keep], exposure=self.exposure[keep])


def run_track(
    model: SignalModel,
    *,
    cube: FeatureCube,
    pack: Pack,
    fee_bps: float,
    slippage_bps: float,
    limits: TradingLimits = USUAL_LIMITS,
) -> Track:
    """Ask a model about every session of a pack and trade its answers, once, continuously."""
    grid = predict_grid(model, cube)
    target = targets_from_predictions(
        grid.direction, cadence_sessions=DECISION_CADENCE_SESSIONS, limits=limits
    )
    result = run_backtest(
        pack.history.close, target, fee_bps=fee_bps, slippage_bps=slippage_bps, limits=limits
    )
    return Track(
        returns=result.returns,
        turnover=result.turnover,
        exposure=result.exposure,
        errors=grid.errors,
        error_rate=grid.error_rate,
        quarantine_rate=grid.quarantine_rate,
    )


def sessions_in(windows: Sequence[BenchWindow], *, pack: Pack) -> Bool1D:
    """Return which sessions of a pack lie in at least one window, shape (T,)."""
    sessions = pack.history.sessions
    keep = np.zeros(len(sessions), dtype=np.bool_)
    for window in windows:
        keep |= (sessions >= np.datetime64(window.start)) & (sessions <= np.datetime64(window.end))
    return keep
