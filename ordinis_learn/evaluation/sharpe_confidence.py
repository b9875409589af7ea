"""How sure a scorecard may be of its subject's Sharpe ratio, by both conventions of the variance, after all trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.evaluation.deflated import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    return_shape,
)
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR, MetricSet
from ordinis_learn.evaluation.revised_sharpe import (
    autocorrelation,
    minimum_track_record_revised,
    probabilistic_sharpe_revised,
)

__all__ = ["CONVENTION", "TRACK_RECORD_CONFIDENCE", "SharpeConfidence", "Tried", "sharpe_confidence"]

Float1D = npt.NDArray[np.float64]

CONVENTION: Final = (
    "2012: variance at the estimate, independent returns (Bailey & Lopez de Prado 2012); "
    "2025: variance under the null, first-order autocorrelation (Lopez de Prado, Lipton & Zoonekynd 2025); "
    "probabilistic_sharpe and deflated_sharpe of the scorecard are the 2012 form"
)
TRACK_RECORD_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, kw_only=True)
class Tried:
    """All models the subject was picked from: those of its own search, and earlier versions of its name.

    ``variance`` is that of its own search's per-session Sharpe ratios, None where it is not known, and ``earlier_variances`` those
    of the searches behind the earlier versions. A model that was found by a search and registered again without one stands on
    that search all the same: beside its near copy alone the ratios would hardly vary, and hundreds of trials count for nothing.
    """

    count: int
    variance: float | None
    earlier_sharpes: tuple[float, ...]
    earlier_variances: tuple[float, ...] = ()

    def variance_with(self, sharpe: float) -> float | None:
        """Return the largest of the searches' variances and that across versions; None where none is known."""
        across = (*self.earlier_sharpes, sharpe)
        known = [*self.earlier_variances, *([] if self.variance is None else [self.variance])]
        if len(across) > 1:
            known.append(float(np.var(across, ddof=1)))
        return max(known, default=None)


@dataclass(frozen=True, kw_only=True)
class SharpeConfidence:
    """Probabilities and track records (sessions), NaN where undefined; ``quality`` says why."""

    skewness: float = np.nan
    kurtosis: float = np.nan
    autocorrelation: float = np.nan
    probabilistic_2012: float = np.nan
    probabilistic_2025: float = np.nan
    deflated_2012: float = np.nan
    deflated_2025: float = np.nan
    track_record_2012: float = np.nan
    track_record_2025: float = np.nan
    quality: dict[str, str]


def sharpe_confidence(returns: Float1D, measured: MetricSet, *, tried: Tried) -> SharpeConfidence:
    """Judge the Sharpe ratio of a daily return series against zero and against the best of all trials.

    Parameters
    ----------
    returns : array, shape (T,)
        Finite, of the judged sessions.
    measured : MetricSet
        Of the same returns.

    Examples
    --------
    >>> from ordinis_learn.evaluation.metrics import compute_metrics
    >>> returns = np.random.default_rng(0).normal(0.001, 0.01, 1000)
    >>> measured = compute_metrics(returns, turnover=returns, exposure=returns)
    >>> once = sharpe_confidence(returns, measured, tried=Tried(count=1, variance=None, earlier_sharpes=()))
    >>> once.deflated_2012 == once.probabilistic_2012 < 1.0
    True
    """
    sharpe = measured.values["sharpe"] / np.sqrt(SESSIONS_PER_YEAR)
    if np.isnan(sharpe):
        reason = measured.quality["sharpe"]
        return SharpeConfidence(quality={"probabilistic_sharpe": reason, "deflated_sharpe": reason})
    skewness, kurtosis = return_shape(returns)
    rho = autocorrelation(returns)
    shape = {"skewness": skewness, "kurtosis": kurtosis}
    variance = tried.variance_with(sharpe)
    unknown = variance is None and tried.count > 1
    best = np.nan if unknown else expected_maximum_sharpe(trials=tried.count, trial_variance=variance or 0.0)
    periods = len(returns)
    revised = shape | {"autocorrelation": rho}
    return SharpeConfidence(
        **revised,
        probabilistic_2012=probabilistic_sharpe(sharpe, periods=periods, **shape),
        probabilistic_2025=probabilistic_sharpe_revised(sharpe, periods=periods, **revised),
        deflated_2012=np.nan
        if unknown
        else deflated_sharpe(
            sharpe, periods=periods, trials=tried.count, trial_variance=variance or 0.0, **shape
        ),
        deflated_2025=probabilistic_sharpe_revised(sharpe, periods=periods, benchmark=best, **revised),
        track_record_2012=minimum_track_record(sharpe, confidence=TRACK_RECORD_CONFIDENCE, **shape),
        track_record_2025=minimum_track_record_revised(sharpe, confidence=TRACK_RECORD_CONFIDENCE, **revised),
        quality={
            "deflated_sharpe": f"undefined: {tried.count} trials without the variance of their Sharpe ratios"
        }
        if unknown
        else {},
    )
