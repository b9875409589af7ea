"""Which memories a short record leaves possible.

An autoregression that is fitted to half a year is itself a draw: at a true coefficient of 0.9 the fits lie between 0.81 and 0.94 (tenth to
ninetieth percentile), and lower than the truth in the middle. A threshold from the fit alone holds for the fit alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from ordinis_learn.drift.autocorrelation import Autoregression, fit_autoregression
from ordinis_learn.drift.binning import Float1D

__all__ = ["possible_memories"]

_FARTHEST: Final = 0.999
_STEPS: Final = 20


def possible_memories(
    fitted: Autoregression, *, sessions: int, count: int, rng: np.random.Generator
) -> tuple[Autoregression, ...]:
    """Draw processes that may have given the fit, by the basic bootstrap of its coefficients.

    A record as long as the real one is simulated from the fit and fitted in the same way, choice of the order included. What the
    second fit misses of the first, the first is taken to have missed of the truth: this adds the doubt and takes the bias away. A process that
    would not be stationary goes only as far from the fit as is (in twentieths of the way).

    Parameters
    ----------
    fitted : Autoregression
    sessions : int
        Of the record that it was fitted to.
    count : int
    rng : numpy.random.Generator

    References
    ----------
    Davison, A. C. & Hinkley, D. V. (1997), Bootstrap methods and their application, 5.2 (the basic bootstrap); Kilian, L. (1998), Small-sample
    confidence intervals for impulse response functions, Review of Economics and Statistics 80 (bias taken away, as far as stationary);
    Pascual, L., Romo, J. & Ruiz, E. (2004), Bootstrap predictive inference for ARIMA processes, Journal of Time Series Analysis 25
    (a prediction holds its level once the coefficients vary as well).

    Examples
    --------
    >>> process = Autoregression(mean=0.0, coefficients=np.array([0.9]), innovations=np.array([-1.0, 1.0]))
    >>> drawn = possible_memories(process, sessions=126, count=40, rng=np.random.default_rng(0))
    >>> persistence = sorted(float(one.coefficients.sum()) for one in drawn)
    >>> persistence[0] < 0.9 < persistence[20] < persistence[-1] < 1.0
    True
    """
    again = (
        fit_autoregression(record) for record in fitted.simulate(draws=count, sessions=sessions, rng=rng)
    )
    return tuple(
        replace(fitted, coefficients=_mirrored(fitted.coefficients, other.coefficients)) for other in again
    )


def _mirrored(first: Float1D, second: Float1D) -> Float1D:
    order = max(len(first), len(second))
    near = np.pad(first, (0, order - len(first)))
    missed = near - np.pad(second, (0, order - len(second)))
    for step in range(_STEPS, 0, -1):
        drawn: Float1D = near + missed * step / _STEPS
        if _is_stationary(drawn):
            return drawn
    return near


def _is_stationary(coefficients: Float1D) -> bool:
    """Run the Levinson-Durbin recursion backwards: every partial autocorrelation lies within ±1 (Barndorff-Nielsen & Schou 1973)."""
    while len(coefficients):
        last, rest = coefficients[-1], coefficients[:-1]
        if abs(last) >= _FARTHEST:
            return False
        coefficients = (rest + last * rest[::-1]) / (1.0 - last**2)
    return True
