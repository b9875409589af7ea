"""How long a sequential detector stays silent when nothing has changed.

Textbook thresholds hold for independent normal values whose mean is known. Here neighbours remember each other, tails are
heavy, and the mean comes from a record of a few months: an error of it that no test would notice lets a CUSUM climb without
end. All three are in the simulation that sets the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ordinis_learn.drift.autocorrelation import Autoregression, fit_autoregression
from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.sequential import SequentialDetector

__all__ = ["RunLength", "calibrate_run_length", "standardised"]


_FARTHEST: Final = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class RunLength:
    """The largest value that the statistic reached in each of many simulated quiet stretches, increasing.

    Attributes
    ----------
    peaks : float64 array, shape (draws,)
    sessions : int
        Of a stretch.
    """

    peaks: Float1D
    sessions: int

    def threshold(self, rate: float) -> float:
        """Return the value that is passed so often that false alarms come at this rate per session.

        Over a stretch of n sessions 1 − (1 − rate)ⁿ of quiet series may alarm; the mean time between false alarms is
        1 / rate.

        Examples
        --------
        >>> RunLength(peaks=np.arange(1000.0), sessions=1).threshold(0.01)
        989.01
        """
        return float(np.quantile(self.peaks, (1.0 - rate) ** self.sessions))

    def rate(self, value: float) -> float:
        """Return the rate of false alarms per session that a threshold at ``value`` would have; never 0.

        Examples
        --------
        >>> round(RunLength(peaks=np.arange(999.0), sessions=1).rate(989.0), 3)
        0.011
        """
        reached = len(self.peaks) - int(np.searchsorted(self.peaks, value, side="left"))
        alarmed = (1 + reached) / (1 + len(self.peaks))
        return float(1.0 - (1.0 - min(alarmed, 1.0)) ** (1.0 / self.sessions))


def calibrate_run_length(
    detector: SequentialDetector, record: Float1D, *, sessions: int, draws: int, seed: int
) -> RunLength:
    """Simulate quiet series with the memory and the tails of the record.

    Each draw is a record and what follows it, from one autoregression: standardised by its own record, as the real
    one is, so that the error of the record's mean is in the threshold. The same is drawn without memory, and the higher
    quantile of the two holds: a record of months shows negative memory by chance, and sums would look narrower than they are.

    Parameters
    ----------
    record : float64 array, shape (T,)
        One value per session.
    sessions : int
        How long each draw is followed. A rate holds on average over that time.
    draws, seed : int

    References
    ----------
    Jones, L. A., Champ, C. W. & Rigdon, S. E. (2004), The run length distribution of the CUSUM with estimated
    parameters, Journal of Quality Technology 36 (1): estimated parameters, too, shorten runs.

    Examples
    --------
    >>> from ordinis_learn.drift.cusum import Cusum
    >>> record = np.random.default_rng(0).standard_normal(250)
    >>> quiet = calibrate_run_length(Cusum(allowance=0.5), record, sessions=250, draws=500, seed=1)
    >>> 3.0 < quiet.threshold(1 / 500) < 12.0
    True
    """
    fitted = fit_autoregression(record)
    forgetful = replace(fitted, coefficients=np.zeros(0), innovations=record - record.mean())
    peaks = [
        _peaks(detector, process, record_sessions=len(record), sessions=sessions, draws=draws, seed=seed)
        for process in ((fitted, forgetful) if len(fitted.coefficients) else (fitted,))
    ]
    return RunLength(peaks=np.max(peaks, axis=0), sessions=sessions)


def _peaks(
    detector: SequentialDetector,
    process: Autoregression,
    *,
    record_sessions: int,
    sessions: int,
    draws: int,
    seed: int,
) -> Float1D:
    """Return the largest statistic of each simulated stretch, increasing."""
    length = record_sessions
    drawn = process.simulate(draws=draws, sessions=length + sessions, rng=np.random.default_rng(seed))
    values = standardised(drawn[:, length:], record=drawn[:, :length])
    state = detector.start(series=draws, record_sessions=length)
    peak = np.zeros(draws)
    for session in range(sessions):
        state = detector.step(state, values[:, session])
        peak = np.maximum(peak, detector.statistic(state))
    return np.sort(peak)


def standardised(values: Float1D, *, record: Float1D) -> Float1D:
    """Return (values − mean) / standard deviation (ddof 1) of the record, along the last axis, at most 3 either way; 0 / 0 is 0.

    A single wild session says little about the mean, and the tails beyond a record of months are unknown (winsorised as in
    Lucas, J. M. & Crosier, R. B. 1982, Robust CUSUM). Where the record is constant any other value lies at ±3.

    Examples
    --------
    >>> standardised(np.array([3.0, 5.0]), record=np.array([2.0, 4.0])).round(3)
    array([0.   , 1.414])
    >>> standardised(np.array([1.0, 2.0]), record=np.ones(5))
    array([0., 3.])
    """
    centred = values - record.mean(axis=-1, keepdims=True)
    scale = record.std(axis=-1, ddof=1, keepdims=True)
    flat = scale <= 1e-12 * np.abs(record).max(axis=-1, keepdims=True)
    by_scale = np.where(flat, np.sign(centred) * _FARTHEST, centred / np.where(flat, 1.0, scale))
    clipped: Float1D = np.clip(by_scale, -_FARTHEST, _FARTHEST)
    return clipped
