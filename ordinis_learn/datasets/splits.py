"""Walk-forward splits for overlapping labels: purged by intervals, with a gap before each test block.

A count-based gap assumes one row per session and labels of one length. Here every row brings the interval
[label_start, label_end] that its label looks at, and rows are dropped by what those intervals cover.
Source: López de Prado, *Advances in Financial Machine Learning* (2018), section 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid, DataMissing

__all__ = ["Split", "purged_walk_forward"]

Dates = npt.NDArray[np.datetime64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Row numbers of one fold, ascending; every training label ended before the first test session."""

    train: Rows
    test: Rows


def purged_walk_forward(
    label_start: npt.ArrayLike,
    label_end: npt.ArrayLike,
    session: npt.ArrayLike,
    *,
    folds: int,
    embargo_sessions: int = 0,
    min_train_sessions: int | None = None,
) -> list[Split]:
    """Split rows into ``folds`` consecutive test blocks, each with the purged rows before it.

    The labelled sessions after the first ``min_train_sessions`` are cut into blocks of nearly equal length.
    A fold trains on all earlier rows whose label has ended before the block's first session, less those
    whose label ended within ``embargo_sessions`` sessions before it. Rows without a label (NaT) are in
    neither part. For models that may train on rows *after* a test block, this is the wrong splitter:
    combinatorial purged cross-validation is.

    Parameters
    ----------
    label_start, label_end : datetime64 array, shape (n,)
        First and last session that the row's label looks at; NaT where the row has no label.
    session : datetime64 array, shape (n,)
        The session at whose close the row's features were known; earlier than ``label_start``.
    folds : int
        Number of test blocks, at least 1.
    embargo_sessions : int
        Sessions left out between the last training label and the test block.
    min_train_sessions : int, optional
        Sessions before the first test block; where not given, as many as a block has.

    Raises
    ------
    ConfigInvalid
        The arrays or the counts do not make sense.
    DataMissing
        A fold would have no training row, or there are fewer sessions than blocks.

    Examples
    --------
    Ten sessions, each with a label over the next two:

    >>> day = np.arange("2001-01-01", "2001-01-11", dtype="datetime64[D]")
    >>> splits = purged_walk_forward(day + 1, day + 2, day, folds=2, min_train_sessions=6)
    >>> [(split.train.tolist(), split.test.tolist()) for split in splits]
    [([0, 1, 2, 3], [6, 7]), ([0, 1, 2, 3, 4, 5], [8, 9])]
    """
    start, end, made = _intervals(label_start, label_end, session)
    labelled = np.flatnonzero(~np.isnat(start))
    days = np.unique(made[labelled])
    blocks = _test_blocks(days, folds=folds, embargo=embargo_sessions, first=min_train_sessions)
    return [
        _split(end, made, rows=labelled, days=days, block=block, embargo=embargo_sessions) for block in blocks
    ]


def _split(end: Dates, made: Dates, *, rows: Rows, days: Dates, block: Dates, embargo: int) -> Split:
    inside = (made[rows] >= block[0]) & (made[rows] <= block[-1])
    test = rows[inside]
    earlier = rows[made[rows] < block[0]]
    # The test rows span [first test session, last test label]. A training label starts before that span's
    # end, so it is clear of the span exactly when it ends before the span's beginning.
    first = np.searchsorted(days, block[0])
    latest = days[max(int(first) - embargo, 0)]
    train = earlier[end[earlier] < latest]
    if train.size == 0:
        raise DataMissing(
            f"split into walk-forward folds: train before {block[0]}",
            found=f"none of the {earlier.size} earlier rows has a label that ended before {latest}",
            next_step="use fewer folds, a shorter horizon or embargo, or a longer window",
            first_test_session=str(block[0]),
        )
    return Split(train=train, test=test)


def _test_blocks(days: Dates, *, folds: int, embargo: int, first: int | None) -> list[Dates]:
    if folds < 1 or embargo < 0 or (first is not None and first < 1):
        raise ConfigInvalid(
            "split into walk-forward folds",
            found=f"folds={folds}, embargo_sessions={embargo}, min_train_sessions={first}",
            next_step="use folds >= 1, embargo_sessions >= 0 and min_train_sessions >= 1",
        )
    skipped = len(days) // (folds + 1) if first is None else first
    if len(days) - skipped < folds or skipped < 1:
        raise DataMissing(
            f"split into {folds} walk-forward folds after {skipped} sessions",
            found=f"{len(days)} labelled sessions",
            next_step="use fewer folds or a longer window",
            sessions=len(days),
        )
    return np.array_split(days[skipped:], folds)


def _intervals(
    label_start: npt.ArrayLike, label_end: npt.ArrayLike, session: npt.ArrayLike
) -> tuple[Dates, Dates, Dates]:
    start, end, made = (np.asarray(a, dtype="datetime64[D]") for a in (label_start, label_end, session))
    ordered = start.shape == end.shape == made.shape and start.ndim == 1
    if ordered:
        known = ~np.isnat(start)
        ordered = bool(
            np.array_equal(known, ~np.isnat(end))
            and not np.isnat(made[known]).any()
            and (made[known] < start[known]).all()
            and (start[known] <= end[known]).all()
        )
    if not ordered:
        raise ConfigInvalid(
            "split rows by their label intervals",
            found="three date arrays that do not keep session < label_start <= label_end row by row",
            next_step="pass the columns session, label_start_{h}d and label_end_{h}d of one dataset",
        )
    return start, end, made
