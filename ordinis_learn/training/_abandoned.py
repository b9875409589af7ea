"""Trials of searches that came to no model. Loaded by name, for Optuna is heavy.

A search that was cut off and begun again otherwise (another seed, another space, edited code) leaves trials behind that
somebody may have looked at. They were run, and what is found afterwards was picked beside them: they count at the gate
with the next model of the name, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import optuna  # noqa: TID253  the leaf that needs it
from optuna.storages import BaseStorage  # noqa: TID253
from optuna.trial import FrozenTrial, TrialState  # noqa: TID253

__all__ = ["CONCLUDED", "FINISHED", "abandoned_trials", "count_abandoned"]

FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
CONCLUDED: Final = "concluded"
"""The attribute of a study that a model came of."""
_COUNTED: Final = "counted"
"""The attribute that says how many of an abandoned study's trials a later model has taken along."""


def abandoned_trials(storage: BaseStorage, *, model: str, but: str) -> list[FrozenTrial]:
    """Return the finished trials of a model's other searches that came to no model and were not counted yet.

    A search that another process is at work on counts so far as it has come: rather once too often than never.
    """
    return [
        trial
        for study_id, counted in _open_studies(storage, model=model, but=but)
        for trial in _finished(storage, study_id)[counted:]
    ]


def count_abandoned(storage: BaseStorage, *, model: str, but: str) -> None:
    """Note that the trials there are now travel with a model."""
    for study_id, counted in _open_studies(storage, model=model, but=but):
        there = len(_finished(storage, study_id))
        if there > counted:
            storage.set_study_user_attr(study_id, _COUNTED, there)


def _open_studies(storage: BaseStorage, *, model: str, but: str) -> Iterator[tuple[int, int]]:
    """Yield each study's id and how many of its trials were counted."""
    for study in optuna.get_all_study_summaries(storage):
        attributes: dict[str, Any] = study.user_attrs
        of_model = study.study_name.rsplit("/", 2)[0] == model
        if of_model and study.study_name != but and CONCLUDED not in attributes:
            yield storage.get_study_id_from_name(study.study_name), int(attributes.get(_COUNTED, 0))


def _finished(storage: BaseStorage, study_id: int) -> list[FrozenTrial]:
    trials = storage.get_all_trials(study_id, deepcopy=False, states=FINISHED)
    return sorted(trials, key=lambda trial: trial.number)
