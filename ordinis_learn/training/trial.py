"""One trial of a search: what is to be tried, and what came of it.

Both survive pickling, and the outcome depends on the task and the rows alone. So a trial may be run anywhere, and
run again after its process died, without changing the study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

from ordinis_learn.errors import TrainFailed
from ordinis_learn.records import Record
from ordinis_learn.training.folds import FoldFit, mean_metrics, mean_rounds, walk_forward_sharpe
from ordinis_learn.training.search_overfitting import session_results
from ordinis_learn.training.walk import Walk

__all__ = ["LocalTrials", "PruneRule", "TrialOutcome", "TrialRunner", "TrialTask", "mean_error", "run_trial"]

P = TypeVar("P", bound=Record)

PruneRule = Callable[[Sequence[float]], tuple[bool, dict[str, float]]]
"""From a trial's running means, one per fold, to whether it ends here, and what a pruner wants to remember of it."""


@dataclass(frozen=True, kw_only=True)
class TrialTask(Generic[P]):
    """A parameter set to try.

    Attributes
    ----------
    number : int
        The trial's number in its study.
    parameters : BoosterParameters or NetworkParameters
    prune : callable
        Judges the running mean error after each fold but the last; knows the earlier batches of trials alone.
    """

    number: int
    parameters: P
    prune: PruneRule


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """What came of a trial.

    Attributes
    ----------
    number : int
    state : {"complete", "pruned", "fail"}
    running : tuple of float
        The mean validation error over the folds so far, one per fold that was fitted.
    metrics : dict
        Per fold (``fold_0/…``) and their means (``mean_…``); NaN where undefined.
    sharpe : float
        Walk-forward Sharpe ratio per session over the folds that were fitted.
    rungs : dict
        What the pruner remembers.
    error : str
        Why it failed.
    results : bytes
        What it earned in each session (:func:`ordinis_learn.training.search_overfitting.session_results`), as
        little-endian float32; empty unless complete.
    folds : tuple of FoldFit
        The fits; empty where the trial was run in another process.
    """

    number: int
    state: Literal["complete", "pruned", "fail"]
    running: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    sharpe: float = float("nan")
    rungs: dict[str, float] = field(default_factory=dict)
    error: str = ""
    results: bytes = b""
    folds: tuple[FoldFit, ...] = ()


class TrialRunner(Protocol):
    """Runs trials that do not depend on each other."""

    @property
    def at_once(self) -> int:
        """Return how many trials to give it at a time."""
        ...

    def run(self, tasks: Sequence[TrialTask[Any]]) -> list[TrialOutcome]:
        """Return every task's outcome, in order; a fit that fails is an outcome, no error."""
        ...


class LocalTrials:
    """One trial after the other, in this process.

    Parameters
    ----------
    walk : Walk
    """

    at_once = 1

    def __init__(self, walk: Walk[Any]) -> None:
        self._walk = walk

    def run(self, tasks: Sequence[TrialTask[Any]]) -> list[TrialOutcome]:
        """Return every task's outcome, in order."""
        return [run_trial(task, walk=self._walk) for task in tasks]


def run_trial(task: TrialTask[P], *, walk: Walk[P]) -> TrialOutcome:
    """Fit the folds of one parameter set until it is done, pruned or failed."""
    folds: list[FoldFit] = []
    running: list[float] = []
    rungs: dict[str, float] = {}
    state: Literal["complete", "pruned"] = "complete"
    try:
        for number in range(len(walk)):
            folds.append(walk.fit(number, parameters=task.parameters))
            running.append(mean_error(folds))
            if number + 1 < len(walk):
                ends, rungs = task.prune(running)
                if ends:
                    state = "pruned"
                    break
    except TrainFailed as error:
        return TrialOutcome(number=task.number, state="fail", error=error.found)
    if not math.isfinite(running[-1]):
        return TrialOutcome(number=task.number, state="fail", error=f"a validation error of {running[-1]}")
    sharpe = walk_forward_sharpe(folds, matrix=walk.matrix)
    return TrialOutcome(
        number=task.number,
        state=state,
        running=tuple(running),
        metrics=_metrics(folds) | {"walk_forward_sharpe_per_session": sharpe},
        sharpe=sharpe,
        rungs=rungs,
        results=_results(folds, walk=walk) if state == "complete" else b"",
        folds=tuple(folds),
    )


def _results(folds: Sequence[FoldFit], *, walk: Walk[P]) -> bytes:
    return session_results(folds, matrix=walk.matrix).astype("<f4").tobytes()


def mean_error(folds: Sequence[FoldFit]) -> float:
    """Return the mean of the folds' lowest validation errors: what a search minimises."""
    return sum(fold.best_valid_error for fold in folds) / len(folds)


def _metrics(folds: Sequence[FoldFit]) -> dict[str, float]:
    """Name every fold's metrics on their own, so that a page which compares runs has an axis for each."""
    measure = f"valid_{folds[0].measure}"
    found: dict[str, float] = {}
    for number, fold in enumerate(folds):
        values = fold.metrics | {measure: fold.best_valid_error}
        found |= {f"fold_{number}/{name}": value for name, value in values.items()}
    found |= {f"mean_{name}": value for name, value in mean_metrics(folds).items()}
    return found | {f"mean_{measure}": mean_error(folds), "mean_rounds": float(mean_rounds(folds))}
