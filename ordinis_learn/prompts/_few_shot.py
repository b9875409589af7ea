"""Which examples to show, and in which order: a search with Optuna. Loaded by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import optuna  # noqa: TID253  the leaf that needs it

__all__ = ["FewShotResult", "TrialScores", "search_examples"]

_RANDOM_TRIALS: Final = 4


class TrialScores(Protocol):
    """Keeps what trials scored, so that a search outlives its process."""

    def finished(self) -> int:
        """Return how many trials have been run before."""
        ...

    def score(self, number: int, places: Mapping[str, int], run: Callable[[], float]) -> float:
        """Return a trial's score, running it where nobody has."""
        ...


@dataclass(frozen=True, kw_only=True)
class FewShotResult:
    """The best selection (places from 0, as shown) and its score, over as many trials as were really run."""

    chosen: tuple[int, ...]
    score: float
    trials: int


def search_examples(
    score: Callable[[int, tuple[int, ...]], float],
    *,
    candidates: int,
    shots: int,
    trials: int,
    seed: int,
    kept: TrialScores | None = None,
) -> FewShotResult:
    """Try selections of at most ``shots`` of the candidates; return the one with the highest score.

    The first trial shows the first ``shots`` candidates, the second none, the others what a tree-structured Parzen estimator
    (Bergstra et al. 2011) suggests from those before. One after the other, so that the same scores give the same search.
    Among equal scores fewer examples win, then the earlier trial. A selection that comes again is a trial again.

    Parameters
    ----------
    score : callable
        Given a trial's number and its selection, returns a score in [0, 1]; an error ends the search.
    kept : TrialScores, optional
        Trials that it knows are not run again. More of them than ``trials`` count all the same: they were tried.

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
        return _search(
            score, candidates=candidates, shots=shots, trials=trials, seed=seed, kept=kept or _NothingKept()
        )
    finally:
        optuna.logging.set_verbosity(before)


class _NothingKept:
    """Trials of a search that nobody keeps."""

    def finished(self) -> int:
        return 0

    def score(self, number: int, places: Mapping[str, int], run: Callable[[], float]) -> float:
        del number, places
        return run()


def _search(
    score: Callable[[int, tuple[int, ...]], float],
    *,
    candidates: int,
    shots: int,
    trials: int,
    seed: int,
    kept: TrialScores,
) -> FewShotResult:
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_RANDOM_TRIALS)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({f"place_{n}": n if n < candidates else -1 for n in range(shots)})
    study.enqueue_trial({f"place_{n}": -1 for n in range(shots)})
    tried: list[tuple[float, int, int, tuple[int, ...]]] = []
    for number in range(max(trials, kept.finished())):
        trial = study.ask()
        places = {
            f"place_{n}": trial.suggest_categorical(f"place_{n}", [*range(-1, candidates)])
            for n in range(shots)
        }
        chosen = tuple(dict.fromkeys(place for place in places.values() if place >= 0))
        value = kept.score(number, places, functools.partial(score, number, chosen))
        study.tell(trial, value)
        tried.append((-value, len(chosen), number, chosen))
    best = min(tried)
    return FewShotResult(chosen=best[3], score=-best[0], trials=len(tried))
