"""What a fit works with besides its configuration and its rows."""

from __future__ import annotations

from dataclasses import dataclass

from ordinis_learn.ports import Run, Tracker
from ordinis_learn.training.search import StudyPlace
from ordinis_learn.training.spread import Spread

__all__ = ["Surroundings"]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where a fit is recorded, where its study is kept, and where its folds and trials are run.

    Attributes
    ----------
    tracker, run
        Children for folds and trials are opened below ``run``.
    study_key : str
        What a search is about.
    place : StudyPlace or None
        In memory where None.
    spread : Spread or None
        Workers for folds and trials; this process where None.
    """

    tracker: Tracker
    run: Run
    study_key: str
    place: StudyPlace | None = None
    spread: Spread | None = None
