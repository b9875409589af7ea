"""The search over training parameters with Optuna; every trial is a nested run. Loaded by name."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution  # noqa: TID253  the leaf that needs it
from optuna.trial import FrozenTrial, TrialState  # noqa: TID253

from ordinis_learn.errors import TrainFailed
from ordinis_learn.ports import Run, Tracker
from ordinis_learn.records import Record
from ordinis_learn.training._abandoned import FINISHED, CountedTrials
from ordinis_learn.training._rehearsal import OUTCOME, Rehearsal, search_space
from ordinis_learn.training._studies import SharedStudy, open_study, translated
from ordinis_learn.training.claims import ClaimRules
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.search import SearchResult, StudyPlace, sharpe_variance
from ordinis_learn.training.search_overfitting import search_overfitting
from ordinis_learn.training.trial import TrialOutcome, TrialRunner, TrialTask
from ordinis_learn.training.walk import Walk

__all__ = ["search_parameters"]

P = TypeVar("P", bound=Record)


def search_parameters(
    walk: Walk[P],
    *,
    first: P,
    config: TrainConfig,
    tracker: Tracker,
    parent: Run,
    runner: TrialRunner,
    key: str,
    place: StudyPlace | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> SearchResult[P]:
    """Try ``config.trials`` parameter sets, the configured one first, and return the best.

    Trials come in batches of ``config.trials_at_once``. One is sampled by a tree-structured Parzen estimator and
    pruned from the batches before its own alone, so that the best trial follows from configuration and rows: not from
    how many workers there are, which of them is faster, or how often the search was killed and gone on with. The
    objective is the mean validation error over the folds, never a backtest: the search must not see what the gate
    measures.

    Parameters
    ----------
    walk : Walk
    first : BoosterParameters or NetworkParameters
        What is tried first; what the space of its kind does not name stays as it is here.
    config : TrainConfig
    tracker, parent
        Where each trial is recorded as a child run, once it is done.
    runner : TrialRunner
        Runs the trials of a batch.
    key : str
        What the search is about (:func:`ordinis_learn.training.search.study_key`).
    place : StudyPlace, optional
        Keeps the study across processes; memory otherwise.
    sleep : callable
        Waits for trials of others, in seconds.

    Raises
    ------
    TrainFailed
        No trial finished.
    ConfigInvalid
        There is no study to go on with.
    StoreUnavailable
        The study cannot be read or written, or workers died again and again.
    """
    study = open_study(place, model=config.name, key=key)
    with translated(place):
        search = _Search(study, first=first, config=config, tracker=tracker, parent=parent, runner=runner)
        while (left := search.left()) is not None:
            if not search.work(left):
                sleep((place.rules if place else ClaimRules()).poll_s)
        counted = study.count()
        found = search.result(walk, counted=counted)

    def conclude() -> None:
        with translated(place):
            study.conclude(parent.run_id, counted=counted)

    return replace(found, conclude=conclude)


@dataclass(frozen=True, kw_only=True)
class _Left:
    """The batch to work on: the numbers that are not finished, and the trials before the batch."""

    numbers: list[int]
    past: list[FrozenTrial]


class _Search(Generic[P]):
    def __init__(
        self,
        study: SharedStudy,
        *,
        first: P,
        config: TrainConfig,
        tracker: Tracker,
        parent: Run,
        runner: TrialRunner,
    ) -> None:
        self._study = study
        self._first = first
        self._config = config
        self._tracker = tracker
        self._parent = parent
        self._runner = runner
        self._space: Mapping[str, BaseDistribution] = search_space(config, first=first)
        self._ran = 0
        self._best: TrialOutcome | None = None

    def left(self) -> _Left | None:
        """Return the first batch with trials that are not finished; None when all are."""
        trials = self._study.trials()
        total, size = self._config.trials, self._config.trials_at_once
        finished = {trial.number for trial in trials if trial.state in FINISHED}
        for start in range(0, total, size):
            numbers = [n for n in range(start, min(start + size, total)) if n not in finished]
            if numbers:
                return _Left(numbers=numbers, past=trials[:start])
        return None

    def work(self, left: _Left) -> bool:
        """Run trials of the batch that nobody works on; False where others have them all."""
        numbers = self._study.claim(left.numbers, at_most=self._runner.at_once)
        tasks = [self._task(number, past=left.past) for number in numbers]
        with self._study.beating(numbers):
            outcomes = self._runner.run(tasks) if tasks else []
            for task, outcome in zip(tasks, outcomes, strict=True):
                self._record(task, outcome)
        return bool(numbers)

    def _task(self, number: int, *, past: list[FrozenTrial]) -> TrialTask[P]:
        rehearsal = Rehearsal(config=self._config, space=self._space, past=past, number=number)
        given = {name: getattr(self._first, name) for name in self._space}
        changes = rehearsal.sample() if number else given
        self._study.write_parameters(number, parameters=changes, space=self._space)
        return TrialTask(number=number, parameters=_with(self._first, changes), prune=rehearsal)

    def _record(self, task: TrialTask[P], outcome: TrialOutcome) -> None:
        """Log the trial as a child run, then tell the study; the best one's fits are kept."""
        with suppress(_TrialFailed):
            self._log(task, outcome)
        self._ran += self._study.tell(outcome)
        if outcome.state == "complete" and (self._best is None or _rank(outcome) < _rank(self._best)):
            self._best = outcome

    def _log(self, task: TrialTask[P], outcome: TrialOutcome) -> None:
        tags = {
            "ordinis.trial": str(outcome.number),
            "ordinis.trial_state": outcome.state,
            "ordinis.study": self._study.name,
        }
        with self._tracker.start_run(f"trial {outcome.number}", parent=self._parent, tags=tags) as run:
            parameters = task.parameters.to_json()
            run.log_params({f"{self._config.inner}.{name}": value for name, value in parameters.items()})
            if outcome.state == "fail":
                raise _TrialFailed(
                    f"run trial {outcome.number}",
                    found=outcome.error,
                    next_step="narrow what is searched, or leave it: the search goes on without it",
                )
            run.log_metrics(outcome.metrics)

    def result(self, walk: Walk[P], *, counted: CountedTrials) -> SearchResult[P]:
        """Return the best of the trials that were asked for, whoever ran them.

        A study may hold more of them, from a time when more were asked: those were run and count, but are not chosen, or the
        model would not follow from its configuration.
        """
        trials, abandoned = counted.own, counted.others
        states = [trial.state for trial in trials]
        asked = [trial for trial in trials if trial.number < self._config.trials]
        complete = [trial for trial in asked if trial.state == TrialState.COMPLETE]
        if not complete:
            raise TrainFailed(
                f"search parameters for {self._config.name}",
                found=f"none of {len(asked)} trials finished",
                next_step="open the nested runs for their errors, correct the configuration and train again",
            )
        best = min(complete, key=lambda trial: (trial.value, trial.number))
        parameters = _with(self._first, best.params)
        kept = self._best.folds if self._best is not None and self._best.number == best.number else ()
        return SearchResult(
            parameters=parameters,
            folds=kept or walk.fit_every_fold(parameters=parameters),
            trials=len(trials) + len(abandoned),
            abandoned=len(abandoned),
            pruned=states.count(TrialState.PRUNED),
            failed=states.count(TrialState.FAIL),
            earlier=len(trials) - self._ran,
            study=self._study.name,
            trial_sharpe_variance=_larger(_sharpes(trials), _sharpes([*trials, *abandoned])),
            overfitting=search_overfitting([_results(trial) for trial in complete]),
        )


class _TrialFailed(TrainFailed):
    """Marks a trial's run FAILED; the search goes on."""


def _rank(outcome: TrialOutcome) -> tuple[float, int]:
    return outcome.running[-1], outcome.number


def _with(first: P, changes: Mapping[str, Any]) -> P:
    return type(first).model_validate(first.to_json() | dict(changes))


def _sharpes(trials: Iterable[FrozenTrial]) -> Iterator[float]:
    for trial in trials:
        sharpe = trial.user_attrs.get(OUTCOME, {}).get("sharpe")
        if sharpe is not None:
            yield float(sharpe)


def _larger(*sharpes: Iterator[float]) -> float | None:
    """Return the largest variance that is known: what was abandoned must not make a search look narrower."""
    return max((one for one in map(sharpe_variance, sharpes) if one is not None), default=None)


def _results(trial: FrozenTrial) -> npt.NDArray[np.float32]:
    kept = trial.user_attrs[OUTCOME].get("results", "")
    return np.frombuffer(b64decode(kept), dtype="<f4").astype(np.float32)
