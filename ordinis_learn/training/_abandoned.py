"""Trials of searches that came to no model. Loaded by name, for Optuna is heavy.

A search that was cut off and begun again otherwise (another seed, another space, edited code) leaves trials behind that
somebody may have looked at. They were run, and what is found afterwards was picked beside them: they count at the gate
with the next model of the name, once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import optuna  # noqa: TID253  the leaf that needs it
from optuna.storages import BaseStorage  # noqa: TID253
from optuna.trial import FrozenTrial, TrialState  # noqa: TID253

__all__ = ["CONCLUDED", "FINISHED", "CountedTrials", "count_trials", "mark_counted"]

FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
CONCLUDED: Final = "concluded"
"""The attribute of a study that a model came of."""
_COUNTED: Final = "counted"
"""The attribute with the numbers of a study's trials that a model has taken along; once it was how many, from the first."""


@dataclass(frozen=True, kw_only=True)
class CountedTrials:
    """The trials that travel with one model, as they were when they were counted.

    What another process finishes afterwards is not among them, however soon a model is made of these: it is left for the
    next model.

    Attributes
    ----------
    own : tuple of FrozenTrial
        Finished ones of the model's search, by number.
    abandoned : mapping of str to tuple of FrozenTrial
        Those of other searches that no model has taken along yet, by the study's name.
    """

    own: tuple[FrozenTrial, ...]
    abandoned: Mapping[str, tuple[FrozenTrial, ...]]

    @property
    def others(self) -> tuple[FrozenTrial, ...]:
        """Of all abandoned searches together."""
        return tuple(trial for trials in self.abandoned.values() for trial in trials)


def count_trials(storage: BaseStorage, *, model: str, study: str) -> CountedTrials:
    """Return the finished trials of a study and of the model's other searches that no model has taken along.

    A search that another process is at work on counts so far as it has come: rather once too often than never.
    """
    abandoned = {}
    for name, attributes in _studies(storage, model=model).items():
        # A study concluded by an earlier release did not note its own: all of them travelled with its model.
        of_earlier_release = CONCLUDED in attributes and not isinstance(attributes.get(_COUNTED), list)
        if name != study and not of_earlier_release:
            finished = _finished(storage, name)
            taken = _taken(attributes, finished=finished)
            abandoned[name] = tuple(trial for trial in finished if trial.number not in taken)
    return CountedTrials(own=tuple(_finished(storage, study)), abandoned=abandoned)


def mark_counted(storage: BaseStorage, *, model: str, study: str, counted: CountedTrials) -> None:
    """Note that these trials travel with a model."""
    known = _studies(storage, model=model)
    for name, trials in {**counted.abandoned, study: counted.own}.items():
        taken = _taken(known[name], finished=_finished(storage, name)) | {trial.number for trial in trials}
        # The own study's are noted where there are none as well: those that others finish later must not be forgotten.
        if trials or name == study:
            storage.set_study_user_attr(storage.get_study_id_from_name(name), _COUNTED, sorted(taken))


def _studies(storage: BaseStorage, *, model: str) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of a model's studies by name."""
    return {
        study.study_name: study.user_attrs
        for study in optuna.get_all_study_summaries(storage)
        if study.study_name.rsplit("/", 2)[0] == model
    }


def _taken(attributes: Mapping[str, Any], *, finished: list[FrozenTrial]) -> set[int]:
    counted: list[int] | int = attributes.get(_COUNTED, [])
    return {trial.number for trial in finished[:counted]} if isinstance(counted, int) else set(counted)


def _finished(storage: BaseStorage, name: str) -> list[FrozenTrial]:
    study = storage.get_study_id_from_name(name)
    trials = storage.get_all_trials(study, deepcopy=False, states=FINISHED)
    return sorted(trials, key=lambda trial: trial.number)
