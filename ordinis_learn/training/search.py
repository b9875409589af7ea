"""What a search over training parameters found, and what it cost in trials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ordinis_learn.records import Record
from ordinis_learn.training.folds import FoldFit

__all__ = ["SearchResult", "sharpe_variance"]


P = TypeVar("P", bound=Record)


@dataclass(frozen=True, kw_only=True)
class SearchResult(Generic[P]):
    """The best parameters and everything that was tried on the way.

    Attributes
    ----------
    parameters : BoosterParameters or NetworkParameters
        Of the trial with the lowest mean validation error.
    folds : tuple of FoldFit
        The walk-forward fits of those parameters.
    trials : int
        Parameter sets really run, pruned and failed ones too. The deflated Sharpe ratio needs this number.
    pruned, failed : int
        Of them.
    trial_sharpe_variance : float or None
        Variance over trials of the walk-forward Sharpe ratio per session, ddof 1; None for fewer than two
        trials with a defined ratio. A pruned trial counts with the folds that it finished.
    """

    parameters: P
    folds: tuple[FoldFit, ...]
    trials: int
    pruned: int
    failed: int
    trial_sharpe_variance: float | None


def sharpe_variance(sharpes: Iterable[float]) -> float | None:
    """Return the variance (ddof 1) of the finite Sharpe ratios, None for fewer than two.

    Examples
    --------
    >>> sharpe_variance([0.0, 0.2, float("nan")]).__round__(3), sharpe_variance([0.1])
    (0.02, None)
    """
    known = [value for value in sharpes if np.isfinite(value)]
    return float(np.var(known, ddof=1)) if len(known) > 1 else None
