"""Which examples to show, and in which order: a search with Optuna. Loaded by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import optuna  # noqa: TID253  the leaf that needs it

__all__ = ["FewShotResult", "search_examples"]

_RANDOM_TRIALS: Final = 4


@dataclass(frozen=True, kw_only=True)
class FewShotResult:
    """The best selection (places from 0, as shown) and its score, over as many trials as were really run."""

    chosen: tuple[int, ...]
    score: float
    trials: int


def search_examples(
    score: Callable[[int, tuple[int, ...]], float], *, candidates: int, shots: int, trials: int, seed: int
) -> FewShotResult:
    """Try selections of at most ``shots`` of the candidates; return the one with the highest score.

    The first trial shows the first ``shots`` candidates, the second none, the others what a tree-structured Parzen estimator
    (Bergstra et al. 2011) suggests from those before. One after the other, so that the same scores give the same search.
    Among equal scores fewer examples win, then the earlier trial. A selection that comes again is a trial again.

    Parameters
    ----------
    score : callable
        Given a trial's number and its selection, returns a score in [0, 1]; an error ends the search.

    Examples
    --------
    >>> found = search_examples(
    ...     lambda _, chosen: 0.5 + 0.5 * (2 in chosen), candidates=4, shots=2, trials=20, seed=7
    ... )
    >>> 2 in found.chosen, found.score, found.trials
    (True, 1.0, 20)
    """
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return _search(score, candidates=candidates, shots=shots, trials=trials, seed=seed)
    finally:
        optuna.logging.set_verbosity(before)


def _search(
    score: Callable[[int, tuple[int, ...]], float], *, candidates: int, shots: int, trials: int, seed: int
) -> FewShotResult:
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({f"place_{n}": n if n < candidates else -1 for n in range(shots)})
    study.enqueue_trial({f"place_{n}": -1 for n in range(shots)})
    tried: list[tuple[float, int, int, tuple[int, ...]]] = []
    for number in range(trials):
        trial = study.ask()
        places = [trial.suggest_categorical(f"place_{n}", [*range(-1, candidates)]) for n in range(shots)]
        chosen = tuple(dict.fromkeys(place for place in places if place >= 0))
        value = score(number, chosen)
        study.tell(trial, value)
        tried.append((-value, len(chosen), number, chosen))
    best = min(tried)
    return FewShotResult(chosen=best[3], score=-best[0], trials=len(tried))
