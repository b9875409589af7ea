"""A training matrix as xgboost wants it: binned in memory, from a stream, or kept on disk. Loaded by name, for xgboost is heavy.

Without names: xgboost compares those of matrix and booster every round, a thirtieth of a fit of 26,000 rows. A booster gets
its names when it is done, which gives the same bytes. Bins, and so the trees, are the same bytes whichever way the rows
come (tests/training/test_streamed.py).
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb  # noqa: TID253  the leaf that needs it

from ordinis_learn.training.heads import Head
from ordinis_learn.training.matrix import FeatureStream, TrainingMatrix

__all__ = ["Rows", "binned"]

Rows = npt.NDArray[Any] | slice
Binned = Any
"""A ``QuantileDMatrix`` or an ``ExtMemQuantileDMatrix``; xgboost's types are not followed."""


def binned(
    matrix: TrainingMatrix, *, rows: Rows, head: Head, threads: int, like: Binned | None = None
) -> Binned:
    """Bin some rows, in their order.

    Parameters
    ----------
    matrix : TrainingMatrix
    rows : int array ascending, or slice
    head : Head
        Gives the labels.
    threads : int
    like : optional
        Whose bins are used; own ones where not given.
    """
    if matrix.stream is not None:
        return _streamed(matrix, rows=rows, head=head, threads=threads, like=like)
    return xgb.QuantileDMatrix(
        matrix.features[rows],
        label=head.labels(matrix.target[rows]),
        weight=matrix.weight[rows],
        nthread=threads,
        ref=like,
    )


def _streamed(matrix: TrainingMatrix, *, rows: Rows, head: Head, threads: int, like: Binned | None) -> Binned:
    stream = matrix.stream
    if stream is None:
        raise ValueError("the matrix is not streamed")
    chosen = np.zeros(len(matrix), dtype=np.bool_)
    chosen[rows] = True
    if not stream.on_disk:
        batches = _Batches(matrix, chosen=chosen, head=head, stream=stream)
        return xgb.QuantileDMatrix(batches, nthread=threads, ref=like)
    folder = tempfile.mkdtemp(prefix="ordinis-bins-")
    batches = _Batches(matrix, chosen=chosen, head=head, stream=stream, cache=f"{folder}/bins")
    data = xgb.ExtMemQuantileDMatrix(batches, nthread=threads, ref=like)
    # Its pages are read again each round: the folder lives as long as the matrix does, and no longer.
    weakref.finalize(data, shutil.rmtree, folder, ignore_errors=True)
    return data


class _Batches(xgb.DataIter):  # type: ignore[misc]  # xgboost is not followed
    """The chosen rows, a batch at a time; xgboost asks for all of them several times."""

    def __init__(
        self,
        matrix: TrainingMatrix,
        *,
        chosen: npt.NDArray[np.bool_],
        head: Head,
        stream: FeatureStream,
        cache: str | None = None,
    ) -> None:
        self._matrix, self._chosen, self._head, self._stream = matrix, chosen, head, stream
        self._pass = self._begin()
        super().__init__(cache_prefix=cache)

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hand over the next batch; False at the end."""
        for features, rows in self._pass:
            input_data(
                data=features,
                label=self._head.labels(self._matrix.target[rows]),
                weight=self._matrix.weight[rows],
            )
            return True
        return False

    def reset(self) -> None:
        """Begin again."""
        self._pass = self._begin()

    def _begin(self) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
        first = 0
        for features in self._stream.batches():
            keep = self._chosen[first : first + len(features)]
            rows = first + np.flatnonzero(keep)
            first += len(features)
            if len(rows):
                yield features[keep], rows
