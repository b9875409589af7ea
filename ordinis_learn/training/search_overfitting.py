"""How likely the best trial of a search owes its place to luck: over the sessions that its folds were tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.overfitting import probability_of_overfitting
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["SearchOverfitting", "search_overfitting", "session_results"]

_MOST_BLOCKS: Final = 16
_SESSIONS_A_BLOCK: Final = 10


@dataclass(frozen=True, kw_only=True)
class SearchOverfitting:
    """What cross-validation says of a search.

    Attributes
    ----------
    probability : float or None
        Share of the splits whose best trial in sample is at or below the median out of sample; None where it is not
        defined.
    trials : int
        The trials that were compared: completed ones whose results vary.
    blocks : int
        Of equal length, half of them in sample at a time.
    """

    probability: float | None
    trials: int
    blocks: int


def session_results(folds: Sequence[FoldFit], *, matrix: TrainingMatrix) -> npt.NDArray[np.float32]:
    """Return what the positions earned per session, walk-forward and free of costs, oldest first.

    As in :func:`ordinis_learn.training.fold_metrics.position_sharpe`: the mean over a session's rows of position times
    the return over the one session after entry; a row without it is left out. float32, for it travels with the trial.
    """
    rows = np.concatenate([fold.test for fold in folds])
    position = np.concatenate([fold.position for fold in folds])
    known = np.isfinite(matrix.session_return[rows])
    _, session = np.unique(matrix.session[rows][known], return_inverse=True)
    if not len(session):
        return np.zeros(0, dtype=np.float32)
    earned = np.bincount(session, position[known] * matrix.session_return[rows][known]) / np.bincount(session)
    return earned.astype(np.float32)


def search_overfitting(results: Sequence[npt.NDArray[np.float32]]) -> SearchOverfitting:
    """Compute the probability of overfitting over a search's trials.

    Parameters
    ----------
    results : sequence of float32 arrays, each of shape (T,)
        One per completed trial, over the same sessions. Trials that were pruned or failed have no result in every
        session and cannot be compared: leave them out. As these are mostly the worse ones, the answer is about a choice
        among the better ones.

    Returns
    -------
    SearchOverfitting
        ``probability`` is None for fewer than two trials with results that vary in more than half of the blocks, and
        for fewer than 40 sessions.

    Notes
    -----
    Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado & Zhu 2017), with up to 16 blocks of at
    least ten sessions. The search minimises a validation error and not these results, but on the same rows, and each
    trial's number of rounds was chosen on them too: they were not trained on, and they are not unseen. What is asked is
    whether the trial with the best of them in one half would have stayed ahead in the other.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = rng.normal(0.0, 0.01, (12, 400)).astype(np.float32)
    >>> search_overfitting(list(noise)).trials
    12
    >>> search_overfitting([*noise, noise[0] + np.float32(0.01)]).probability
    0.0
    >>> search_overfitting([noise[0]]).probability is None
    True
    """
    sessions = len(results[0]) if results else 0
    blocks = min(_MOST_BLOCKS, sessions // _SESSIONS_A_BLOCK // 2 * 2)
    varied = [one for one in results if blocks >= 4 and _varies(one, blocks=blocks)]
    if len(varied) < 2:
        return SearchOverfitting(probability=None, trials=len(varied), blocks=blocks)
    returns = np.stack(varied, axis=1).astype(np.float64)
    try:
        found = probability_of_overfitting(returns, blocks=blocks).probability
    except EvalFailed:
        # A trial that hardly traded: its variance drowns in rounding in some half. Undefined, not good.
        return SearchOverfitting(probability=None, trials=len(varied), blocks=blocks)
    return SearchOverfitting(probability=found, trials=len(varied), blocks=blocks)


def _varies(result: npt.NDArray[np.float32], *, blocks: int) -> bool:
    """Tell whether every half of the blocks holds one in which the result varies."""
    length = len(result) // blocks
    parts = result[len(result) - blocks * length :].reshape(blocks, length)
    return bool(np.count_nonzero(np.ptp(parts, axis=1) > 0.0) > blocks // 2)
