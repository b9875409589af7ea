"""Follow what a model loses, from one drift check to the next."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.drift import (
    DEFAULT_DRAWS,
    MIN_REFERENCE_SESSIONS,
    LossWatch,
    advance,
    begin_watch,
    load_watch,
    loss_findings,
    paired_loss,
    save_watch,
)
from ordinis_learn.models import SignalModel
from ordinis_learn.records import DriftFinding
from ordinis_learn.use_cases.drift_reference import score
from ordinis_learn.use_cases.drift_subject import DriftSubject

__all__ = ["FALSE_ALARMS_PER_SESSION", "follow_loss"]

FALSE_ALARMS_PER_SESSION: Final = 1.0 / 1260.0
"""One false alarm in five years of sessions, for each detector."""

_PATIENCE: Final = 5

Losses = tuple[npt.NDArray[np.datetime64], npt.NDArray[np.float64]]


def follow_loss(
    subject: DriftSubject, *, since: date, until: date, alpha: float, seed: int, keep: bool
) -> tuple[DriftFinding, ...]:
    """Count the sessions whose outcomes are known by now, and return where the detectors stand.

    The watch is kept in ``data/drift/loss/``, by the artifact and the rows it is judged by. A crash before the file is
    renamed counts the same sessions again from the same state: the result is the same. The record of what the model can do
    is read once in its life.

    Parameters
    ----------
    since, until : date
        The window that is checked.
    keep : bool
        Whether the sessions count from now on. A look by hand leaves the watch where the daily checks left it: had it gone
        ahead of them, they would have nothing to say of the days between.

    Returns
    -------
    tuple of DriftFinding
        Empty while there is no record, and for a window that ends before what was counted already.
    """
    path = _path(subject)
    watch = load_watch(path)
    if watch is None:
        watch = _begin(subject, until=until, seed=seed)
        if watch is not None:  # thresholds are drawn once, whoever looks first
            save_watch(watch, path)
    if watch is None or watch.last_session > until:
        return ()
    fresh = subject.rows(watch.last_session + timedelta(days=1), until)
    if fresh.num_rows:
        days, losses = _losses(fresh, model=subject.model, horizon=subject.horizon)
        watch = advance(watch, days=days, losses=losses)
    if keep and _is_ahead(watch, load_watch(path)):
        save_watch(watch, path)
    return loss_findings(watch, since=since, alpha=alpha)


def _is_ahead(watch: LossWatch, kept: LossWatch | None) -> bool:
    """Tell whether a watch goes forward from the kept one: another process may have counted more meanwhile."""
    return kept is None or watch.last_session > kept.last_session


def _path(subject: DriftSubject) -> Path:
    made_from = (
        f"{subject.artifact.artifact_sha256[:16]}-{subject.manifest.content_sha256[:16]}-{subject.horizon}"
    )
    # Files without the 3 are of formats with other thresholds; they stay as they were left.
    return subject.bench.settings.drift_dir / "loss" / f"{made_from}.3.json"


def _begin(subject: DriftSubject, *, until: date, seed: int) -> LossWatch | None:
    record = subject.record(until=until, whole=True)
    if record is None or record.num_rows == 0:
        return None
    days, losses = _losses(record, model=subject.model, horizon=subject.horizon)
    known = np.isfinite(losses)
    if np.count_nonzero(known) < MIN_REFERENCE_SESSIONS:
        return None
    return begin_watch(
        losses[known],
        record_until=days[known][-1].astype("datetime64[D]").item(),
        rate=FALSE_ALARMS_PER_SESSION,
        draws=DEFAULT_DRAWS,
        seed=seed,
    )


def _losses(rows: pa.Table, *, model: SignalModel, horizon: int) -> Losses:
    """Return the sessions that are over, and the loss of each.

    A session is over when most of its rows have their outcomes, or a session five later has one, or a later one is over: outcomes of one
    session become known together, and symbols that are never priced, or were delisted, must not stop the count. What comes
    later to a session that was counted is not seen.
    """
    days, session = np.unique(rows["session"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    loss = paired_loss(score(model, rows, horizon=horizon), session=session, sessions=len(days))
    unknown = pc.is_null(rows[f"fwd_ret_{horizon}d"], nan_is_null=True).to_numpy(zero_copy_only=False)
    rows = np.bincount(session, minlength=len(days))
    known = rows - np.bincount(session, weights=unknown, minlength=len(days))
    most, some = np.flatnonzero(2 * known > rows), np.flatnonzero(known)
    end = max(int(most[-1]) + 1 if most.size else 0, int(some[-1]) + 1 - _PATIENCE if some.size else 0)
    return days[:end], (np.full(len(days), np.nan) if loss is None else loss)[:end]
