"""Trainings that failed, counted once, and the alert that enough of them are.

A step of the loop marks its own failure in the catalogue (:func:`ordinis_learn.use_cases.stages.stage`); that is the one record, and
the alert is made of it. What is mistyped is no failure and is not there. Nothing here may replace the error that a training ended
with, or turn a model that was registered into a failure: bookkeeping that goes wrong is said beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from ordinis_learn.alerts import Sighting
from ordinis_learn.errors import LearnError
from ordinis_learn.use_cases.alerting import resolve_alerts, response_policy, sight
from ordinis_learn.workbench import Workbench

__all__ = ["alerts_when_it_fails", "note_trained", "see_failed_trainings"]

_LOGGER: Final = logging.getLogger(__name__)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_C = TypeVar("_C", bound=_Named)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def alerts_when_it_fails(
    training: Callable[Concatenate[Workbench, _C, _P], _R],
) -> Callable[Concatenate[Workbench, _C, _P], _R]:
    """Make a training, which is a counted step already, alert when it fails too often and close the alert when it succeeds."""

    @wraps(training)
    def watched(bench: Workbench, config: _C, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            trained = training(bench, config, *args, **kwargs)
        except LearnError as error:
            _beside(error, lambda: see_failed_trainings(bench, config.name))
            raise
        _beside(None, lambda: note_trained(bench, config.name))
        return trained

    return watched


def see_failed_trainings(bench: Workbench, name: str) -> int:
    """Alert where the response policy's number of trainings of a model failed within its hours; return how many did."""
    limits = response_policy(bench.settings).training_failures
    since = bench.clock() - timedelta(hours=limits.within_hours)
    failed = bench.catalogue.failures_of("train", name, since=since)
    if len(failed) >= limits.count:
        last = failed[-1]
        summary = f"{len(failed)} trainings of {name} failed within {limits.within_hours:g} h; the last: {last.code}: {last.found}"
        # By the newest failure: whatever ends a command without being counted does not count the alert again.
        source = last.at.isoformat()
        sight(
            bench,
            Sighting(kind="train_failed", subject=name, severity="warning", summary=summary, source=source),
        )
    return len(failed)


def note_trained(bench: Workbench, name: str) -> None:
    """Close the alert about failed trainings: one has succeeded."""
    resolve_alerts(bench, "train_failed", name, why="a training has succeeded")


def _beside(error: LearnError | None, book: Callable[[], Any]) -> None:
    """Do the bookkeeping; what goes wrong with it is a note on the error, or in the log."""
    try:
        book()
    except Exception as wrong:  # noqa: BLE001  whatever it is, the training ended before it and stands
        found = wrong.found if isinstance(wrong, LearnError) else f"{type(wrong).__name__}: {wrong}"
        if error is not None:
            error.add_note(f"and alerts about failed trainings could not be seen to: {found}")
        else:
            _LOGGER.warning("the training stands, its alert could not be seen to: %s", found)
