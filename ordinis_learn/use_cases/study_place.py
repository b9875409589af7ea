"""Where the searches of one model are kept: a journal on this host, or the database that several hosts share."""

from __future__ import annotations

from ordinis_learn.training.search import StudyPlace
from ordinis_learn.workbench import Workbench

__all__ = ["study_place"]


def study_place(bench: Workbench, name: str, *, resume: bool) -> StudyPlace:
    """Return the place of a model's studies."""
    journal = bench.settings.studies_dir / f"{name.replace('/', '--')}.log"
    return StudyPlace(journal=journal, url=bench.settings.learn_study_url, resume=resume)
