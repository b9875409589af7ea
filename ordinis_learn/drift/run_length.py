"""How long a sequential detector stays silent when nothing has changed.

Textbook thresholds hold for independent normal values whose mean is known. Here neighbours remember each other, tails are
heavy, and the mean comes from a record of a few months: an error of it that no test would notice lets a CUSUM climb without
end. How long the neighbours remember is known no better than the mean. All of it is in the simulation that sets the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ordinis_learn.drift.autocorrelation import Autoregression, fit_autoregression
from ordinis_learn.drift.binning import Float1D, Float2D
from ordinis_learn.drift.memory_doubt import possible_memories
from ordinis_learn.drift.sequential import SequentialDetector

__all__ = ["RunLength", "calibrate_run_length", "standardised"]

_FARTHEST: Final = 1.345
"""At the normal law 95 % of the information are kept (Holland & Welsch 1977)."""
_MEMORIES: Final = 50


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
    detectors: Sequence[SequentialDetector], record: Float1D, *, sessions: int, draws: int, seed: int
) -> tuple[RunLength, ...]:
    """Simulate quiet series with the memory and the tails of the record.

    Each draw is a record and what follows it, from one autoregression: standardised by its own record, as the real
    one is, so that the error of the record's mean is in the threshold. The autoregressions are those that may have given the
    record (:func:`ordinis_learn.drift.memory_doubt.possible_memories`), so that the error of its memory is in it, too. The same is drawn
    without memory, and the higher quantile of the two holds: a record of months shows negative memory by chance, and sums would look
    narrower than they are.

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
    >>> (quiet,) = calibrate_run_length([Cusum(allowance=0.5)], record, sessions=250, draws=500, seed=1)
    >>> 3.0 < quiet.threshold(1 / 500) < 12.0
    True
    """
    fitted = fit_autoregression(record)
    forgetful = replace(fitted, coefficients=np.zeros(0), innovations=record - record.mean())
    rng = np.random.default_rng(seed)
    memories = possible_memories(fitted, sessions=len(record), count=min(_MEMORIES, draws), rng=rng)
    quiet = (
        _simulated(memories, draws=draws, sessions=len(record) + sessions, rng=rng),
        forgetful.simulate(draws=draws, sessions=len(record) + sessions, rng=rng),
    )
    scores = [standardised(one[:, len(record) :], record=one[:, : len(record)]) for one in quiet]
    return tuple(
        RunLength(
            peaks=np.max([_peaks(detector, one, record_sessions=len(record)) for one in scores], axis=0),
            sessions=sessions,
        )
        for detector in detectors
    )


def _simulated(
    processes: Sequence[Autoregression], *, draws: int, sessions: int, rng: np.random.Generator
) -> Float2D:
    """Draw about as many series of each process."""
    shares = np.diff(np.arange(len(processes) + 1) * draws // len(processes)).tolist()
    return np.concatenate(
        [
            process.simulate(draws=share, sessions=sessions, rng=rng)
            for process, share in zip(processes, shares, strict=True)
        ]
    )


def _peaks(detector: SequentialDetector, scores: Float2D, *, record_sessions: int) -> Float1D:
    """Return the largest statistic of each series, increasing."""
    state = detector.start(series=len(scores), record_sessions=record_sessions)
    peak = np.zeros(len(scores))
    for values in scores.T:
        state = detector.step(state, values)
        peak = np.maximum(peak, detector.statistic(state))
    return np.sort(peak)


def standardised(values: Float1D, *, record: Float1D) -> Float1D:
    """Return the score of each value against a record, along the last axis: 0 on average over the record, with standard deviation 1.

    (values − mean) / standard deviation of the record counts at most 1.345 either way (Huber's score), and the scores are standardised once
    more by those of the record. That a wild quarter has wild sessions on both sides adds little to a sum of scores, and a single one says little about
    the mean. Where the record is constant any other value lies at ±1.345.

    References
    ----------
    Huber, P. J. (1964), Robust estimation of a location parameter, Annals of Mathematical Statistics 35; Holland, P. W. & Welsch, R. E. (1977), Robust
    regression using iteratively reweighted least squares, Communications in Statistics 6; Lucas, J. M. & Crosier, R. B. (1982), Robust CUSUM,
    Communications in Statistics 11.

    Examples
    --------
    >>> standardised(np.array([2.0, 3.0, 9.0]), record=np.array([0.0, 1.0, 1.0, 2.0])).round(3)
    array([1.225, 1.345, 1.345])
    >>> standardised(np.array([1.0, 2.0]), record=np.ones(5))
    array([0.   , 1.345])
    """
    own = _within(record, record=record)
    centre, spread = own.mean(axis=-1, keepdims=True), own.std(axis=-1, ddof=1, keepdims=True)
    scores: Float1D = (_within(values, record=record) - centre) / np.where(spread > 0.0, spread, 1.0)
    return scores


def _within(values: Float1D, *, record: Float1D) -> Float1D:
    centred = values - record.mean(axis=-1, keepdims=True)
    scale = record.std(axis=-1, ddof=1, keepdims=True)
    flat = scale <= 1e-12 * np.abs(record).max(axis=-1, keepdims=True)
    by_scale = np.where(flat, np.sign(centred) * _FARTHEST, centred / np.where(flat, 1.0, scale))
    clipped: Float1D = np.clip(by_scale, -_FARTHEST, _FARTHEST)
    return clipped
