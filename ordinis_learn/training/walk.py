"""What a search and a final fit need of the folds, whichever kind of model is fitted on them."""

from __future__ import annotations

from typing import Protocol, TypeVar

from ordinis_learn.records import Record
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import TrainingMatrix

__all__ = ["Walk"]

P_contra = TypeVar("P_contra", bound=Record, contravariant=True)


class Walk(Protocol[P_contra]):
    """Purged walk-forward folds over one matrix, prepared once and fitted as often as asked."""

    @property
    def matrix(self) -> TrainingMatrix:
        """Return the rows."""
        ...

    def __len__(self) -> int:
        """Return the number of folds."""
        ...

    def fit(self, number: int, *, parameters: P_contra) -> FoldFit:
        """Fit one fold; raise TrainFailed where the library refuses."""
        ...

    def fit_every_fold(self, *, parameters: P_contra) -> tuple[FoldFit, ...]:
        """Fit the folds in order of time."""
        ...
