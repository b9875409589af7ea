"""What a search over training parameters found, what it cost in trials, and where its study is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from ordinis_learn.records import Record, hash_of
from ordinis_learn.training.claims import ClaimRules
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.search_overfitting import SearchOverfitting

__all__ = ["SearchResult", "StudyPlace", "sharpe_variance", "study_key"]


P = TypeVar("P", bound=Record)


@dataclass(frozen=True, kw_only=True)
class StudyPlace:
    """Where studies are kept, so that a search outlives its process.

    Attributes
    ----------
    url : str or None
        A PostgreSQL database that several hosts share; else the journal file is used.
    journal : Path
        A file on this host, for one model's studies.
    resume : bool
        There must be a study to go on with, a finished one too. Without it an unfinished study is gone on with all
        the same, for its trials have been run and count; where the last one was finished, a new one begins.
    rules : ClaimRules
        How several processes share one study.
    """

    journal: Path
    url: str | None = None
    resume: bool = False
    rules: ClaimRules = field(default_factory=ClaimRules)


@dataclass(frozen=True, kw_only=True)
class SearchResult(Generic[P]):
    """The best parameters and everything that was tried on the way.

    Attributes
    ----------
    parameters : BoosterParameters or NetworkParameters
        Of the trial with the lowest mean validation error.
    folds : tuple of FoldFit
        The walk-forward fits of those parameters.
    trials : int
        Parameter sets really run, pruned and failed ones too, over every time that the study was gone on with, and those of
        earlier searches for the model that came to none. The deflated Sharpe ratio needs this number.
    abandoned : int
        Of them, those of earlier searches.
    pruned, failed : int
        Of them.
    earlier : int
        Of them, those that other processes ran or ran before.
    study : str
        The study's name.
    trial_sharpe_variance : float or None
        Variance over trials of the walk-forward Sharpe ratio per session, ddof 1; None for fewer than two
        trials with a defined ratio. A pruned trial counts with the folds that it finished.
    overfitting : SearchOverfitting
        Over the completed trials.
    conclude : callable
        Says that a model came of the study. Until then the same search is gone on with.
    """

    parameters: P
    folds: tuple[FoldFit, ...]
    trials: int
    pruned: int
    failed: int
    earlier: int
    study: str
    trial_sharpe_variance: float | None
    overfitting: SearchOverfitting
    abandoned: int = 0
    conclude: Callable[[], None] = lambda: None


def study_key(config: TrainConfig, *, data_sha256: str, code_sha256: str) -> str:
    """Return what a search is about: its configuration but for the number of trials, the dataset's content, the code.

    Trials of another code are not comparable: a search that was cut off before an edit begins anew.
    """
    asked = {name: value for name, value in config.to_json().items() if name not in {"trials", "dataset"}}
    return hash_of({"config": asked, "data": data_sha256, "code": code_sha256}, domain="ordinis.study")


def sharpe_variance(sharpes: Iterable[float]) -> float | None:
    """Return the variance (ddof 1) of the finite Sharpe ratios, None for fewer than two.

    Examples
    --------
    >>> sharpe_variance([0.0, 0.2, float("nan")]).__round__(3), sharpe_variance([0.1])
    (0.02, None)
    """
    known = [value for value in sharpes if np.isfinite(value)]
    return float(np.var(known, ddof=1)) if len(known) > 1 else None
