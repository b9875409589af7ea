"""Which benchmark windows a model has already seen."""

from __future__ import annotations

from datetime import date
from typing import Literal

import numpy as np

from ordinis_learn.bench import Pack
from ordinis_learn.errors import EvalFailed
from ordinis_learn.records import DECLARED, BenchWindow, ModelArtifact

__all__ = ["Overlap", "split_windows"]

Overlap = Literal["purge", "refuse"]
"""What is done with windows that training has touched: left out and named, or the whole evaluation refused."""


def split_windows(
    pack: Pack, *, artifact: ModelArtifact, horizon_sessions: int, overlap: Overlap = "purge"
) -> tuple[tuple[BenchWindow, ...], tuple[BenchWindow, ...]]:
    """Split a pack's windows into those to judge on and those that training has touched.

    ``trained_until`` is the end of the last training label. A window is purged when it overlaps
    ``trained_from`` .. ``trained_until`` plus an embargo of 1 + horizon sessions, over which a position
    taken on the last label's information would still be open (purging and embargo: López de Prado 2018,
    *Advances in Financial Machine Learning*, 7.4). A declared model has seen nothing.

    Returns
    -------
    kept, purged : tuples of BenchWindow
        In the manifest's order.

    Raises
    ------
    EvalFailed
        A trained artifact does not say what it was trained on, no window is left, or ``overlap`` is
        ``refuse`` and there is one to purge.
    """
    asked = f"evaluate {artifact.name} v{artifact.version} on {pack.manifest.pack_id!r}"
    windows = pack.manifest.windows
    if artifact.data_snapshot_ref == DECLARED and artifact.trained_until is None:
        return windows, ()
    first, last = _touched(pack, artifact=artifact, horizon_sessions=horizon_sessions, asked=asked)
    purged = tuple(window for window in windows if window.start <= last and window.end >= first)
    kept = tuple(window for window in windows if window not in purged)
    if purged and overlap == "refuse":
        raise EvalFailed(
            asked,
            found=f"{len(purged)} of {len(windows)} windows overlap the training span with its embargo ({first} to {last})",
            next_step="leave them out with --overlap purge, or generate a pack with windows after that span",
            purged=[window.window_id for window in purged],
        )
    if not kept:
        raise EvalFailed(
            asked,
            found=f"all {len(windows)} windows overlap the training span with its embargo ({first} to {last})",
            next_step=f"train on an earlier span, or generate a pack with windows after {last}",
            purged=[window.window_id for window in purged],
        )
    return kept, purged


def _touched(pack: Pack, *, artifact: ModelArtifact, horizon_sessions: int, asked: str) -> tuple[date, date]:
    if artifact.trained_until is None:
        raise EvalFailed(
            asked,
            found="a trained model without trained_until, so windows that it has seen cannot be told",
            next_step="train it again with a release that records the training span",
        )
    sessions = pack.history.sessions
    until = np.searchsorted(sessions, np.datetime64(_day(artifact.trained_until)), side="right") - 1
    embargo_end: date = sessions[min(int(until) + 1 + horizon_sessions, len(sessions) - 1)].item()
    first = _day(artifact.trained_from) if artifact.trained_from else date.min
    return first, max(embargo_end, _day(artifact.trained_until))


def _day(moment: str) -> date:
    """Read the date of an ISO 8601 date or moment."""
    return date.fromisoformat(moment[:10])
