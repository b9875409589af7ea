"""What Optuna would do at a trial, from the trials of earlier batches alone. Loaded by name.

Optuna's samplers and pruners look at whatever the study holds at the moment, and draw from one random state that
lives as long as the process. Both are taken away from them here: each trial is sampled and pruned in a study of its
own in memory, that holds the earlier batches, with a sampler seeded by (seed, number). So a trial is the same
whether its study ran through, was continued after a kill, or was worked on by several hosts at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import optuna  # noqa: TID253  the leaf that needs it
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution  # noqa: TID253
from optuna.trial import FrozenTrial, TrialState, create_trial  # noqa: TID253

from ordinis_learn.records import Record
from ordinis_learn.training.config import TrainConfig

__all__ = ["OUTCOME", "Rehearsal", "search_space"]

OUTCOME: Final = "outcome"
"""The attribute of a trial that keeps its running means and what the pruner remembers, in one write."""

_RANDOM_TRIALS: Final = 4
_NETWORKS: Final[Mapping[str, tuple[float, float, bool]]] = {
    "learning_rate": (1e-4, 1e-2, True),
    "weight_decay": (1e-4, 1.0, True),
    "dropout": (0.0, 0.5, False),
}
_SPACES: Final[Mapping[str, Mapping[str, tuple[float, float, bool]]]] = {
    "xgboost": {
        "max_depth": (1, 6, False),
        "eta": (0.01, 0.3, True),
        "subsample": (0.5, 1.0, False),
        "colsample_bytree": (0.3, 1.0, False),
        "min_child_weight": (1.0, 500.0, True),
        "reg_lambda": (0.1, 100.0, True),
    },
    "torch": _NETWORKS,
    "sequence": _NETWORKS,
}
"""Least, most, and whether on a scale of logarithms; integers where both ends are."""


def search_space(config: TrainConfig, *, first: Record) -> dict[str, BaseDistribution]:
    """Return what is searched, widened where needed so that the configured values are in it."""
    space: dict[str, BaseDistribution] = {}
    for name, (least, most, log) in _SPACES[config.model].items():
        given = getattr(first, name)
        low, high = min(least, given), max(most, given)
        if isinstance(least, int):
            space[name] = IntDistribution(low, int(high), log=log)
        else:
            space[name] = FloatDistribution(low, high, log=log and low > 0.0)
    return space


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """One trial's view of its study: the finished trials of earlier batches, in order of their numbers.

    Survives pickling; calling it answers as :data:`ordinis_learn.training.trial.PruneRule` says.
    """

    config: TrainConfig
    space: Mapping[str, BaseDistribution]
    past: Sequence[FrozenTrial]
    number: int

    def sample(self) -> dict[str, Any]:
        """Return the parameters to try, by a tree-structured Parzen estimator (Bergstra et al. 2011)."""
        drawn = hashlib.sha256(f"{self.config.seed}/{self.number}".encode()).digest()
        sampler = optuna.samplers.TPESampler(
            seed=int.from_bytes(drawn[:4], "big"), n_startup_trials=_RANDOM_TRIALS, constant_liar=False
        )
        study = self._study(sampler=sampler, pruner=optuna.pruners.NopPruner())
        return dict(study.ask(dict(self.space)).params)

    def __call__(self, running: Sequence[float]) -> tuple[bool, dict[str, float]]:
        """Tell whether the trial ends after these folds, and what the pruner remembers of it."""
        if self.config.pruner == "none":
            return False, {}
        return self._pruning.told(running)

    @cached_property
    def _pruning(self) -> _Pruning:
        """The trial as the pruner sees it, made once: to rebuild its study at every fold costs as much as a small fit."""
        study = self._study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=_pruner(self.config))
        return _Pruning(study)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_pruning"}

    def _study(
        self, *, sampler: optuna.samplers.BaseSampler, pruner: optuna.pruners.BasePruner
    ) -> optuna.Study:
        # The name is fixed because Hyperband deals trials out to brackets by name and number.
        study = optuna.create_study(
            study_name="ordinis", direction="minimize", sampler=sampler, pruner=pruner
        )
        study.add_trials([_rebuilt(trial) for trial in self.past])
        # Numbers of this batch that are not ours: they fail here, which samplers and pruners pass over.
        study.add_trials([create_trial(state=TrialState.FAIL)] * (self.number - len(self.past)))
        return study


class _Pruning:
    """A trial that is under way in a study of its own."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._trial = study.ask()
        self._steps = 0
        self._ends = False

    def told(self, running: Sequence[float]) -> tuple[bool, dict[str, float]]:
        """Report what is new of the running means; tell whether the trial ends, and what the pruner remembers."""
        for error in running[self._steps :]:
            self._steps += 1
            self._trial.report(error, step=self._steps)
            self._ends = self._trial.should_prune()
        remembered = self._study.get_trials(deepcopy=False)[self._trial.number].system_attrs
        return self._ends, {key: float(value) for key, value in remembered.items()}


def _pruner(config: TrainConfig) -> optuna.pruners.BasePruner:
    if config.pruner == "hyperband":
        # Folds are few, so that each rung has twice the folds of the one before.
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=config.folds, reduction_factor=2)
    return optuna.pruners.MedianPruner(n_startup_trials=_RANDOM_TRIALS, n_warmup_steps=2)


def _rebuilt(trial: FrozenTrial) -> FrozenTrial:
    if trial.state == TrialState.FAIL:
        return create_trial(state=TrialState.FAIL)
    outcome = trial.user_attrs[OUTCOME]
    return create_trial(
        state=trial.state,
        value=outcome["running"][-1],
        params=trial.params,
        distributions=trial.distributions,
        intermediate_values=dict(enumerate(outcome["running"], start=1)),
        system_attrs=outcome["rungs"],
    )
