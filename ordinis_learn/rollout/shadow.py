"""Run a candidate beside the active model on the same sessions, and report what was seen.

The shadow proves parity, safety and non-inferiority. It cannot prove an edge: a Sharpe difference of 0.5
at correlation 0.8 needs about 2,500 sessions, which is what benchmark packs are for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.market import FeatureCube, PriceHistory
from ordinis_learn.models.base import SignalModel
from ordinis_learn.ports import Clock
from ordinis_learn.records import Interval, ModelRef, ShadowReport, file_sha256
from ordinis_learn.rollout.replay import Replay, parity_difference, replay
from ordinis_learn.rollout.shadow_files import write_predictions

__all__ = ["ALPHA", "HORIZON_SESSIONS", "run_shadow", "wrong_way_loss"]

HORIZON_SESSIONS: Final = 5
"""Horizon of the labels that both models are scored on, whatever each was trained for."""

ALPHA: Final = 0.05

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class _Comparison:
    paired: int
    unpaired: int
    matured: int
    difference: float | None
    interval: Interval | None


def run_shadow(
    candidate: SignalModel,
    active: SignalModel | None,
    *,
    features: FeatureCube,
    history: PriceHistory,
    start: date,
    end: date,
    subject: ModelRef,
    active_ref: ModelRef | None,
    folder: Path,
    clock: Clock,
    cadence_sessions: int = 5,
) -> ShadowReport:
    """Replay the sessions ``start``..``end`` through both models and write what they said.

    Parameters
    ----------
    candidate, active : SignalModel
        ``active`` is None where nothing is ACTIVE.
    features : FeatureCube
        Of ``history``, session by session.
    history : PriceHistory
        Closes after ``end`` are not looked at: a label is used when it had matured by ``end``.
    start, end : date
        First and last session, both included. The report covers the sessions that exist between them.
    subject, active_ref : ModelRef
        Which versions these are.
    folder : Path
        Predictions go to ``<folder>/<name>/<version>.parquet``, replaced whole.
    clock : Clock
        Stamps the report.
    cadence_sessions : int
        Sessions from one decision to the next.

    Raises
    ------
    DataMissing
        No session, or no complete feature row, between ``start`` and ``end``.
    ConfigInvalid
        A model reads a feature that is not there, or the arguments do not belong together.
    StoreUnavailable
        The predictions cannot be written.
    """
    _check_arguments(
        active, active_ref=active_ref, features=features, history=history, cadence=cadence_sessions
    )
    window = _sessions_between(history, start=start, end=end)
    decisions = window[::cadence_sessions]
    seen = replay(candidate, features=features, decisions=decisions)
    if not seen.asked.any():
        raise DataMissing(
            f"run {subject.name} {subject.version} in shadow over {start}..{end}",
            found=f"{len(decisions)} decision sessions without one complete row of features",
            next_step="choose later sessions, after the warm-up of the features",
        )
    beside = None if active is None else replay(active, features=features, decisions=decisions)
    outcome = _realised_sign(history, decisions=decisions, last=int(window[-1]))
    comparison = _compare(seen, beside, outcome=outcome, stride=-(-HORIZON_SESSIONS // cadence_sessions))
    table = _table(history, decisions, candidate=seen, active=beside)
    path = write_predictions(table, folder=folder, name=subject.name, version=subject.version)
    first, last = (_midnight(history.sessions[index]) for index in (window[0], window[-1]))
    latency = seen.latency_ms[np.isfinite(seen.latency_ms)]
    return ShadowReport(
        subject=subject,
        active=active_ref,
        start=first,
        end=last,
        calendar_days=(last - first).days,
        sessions=len(window),
        decisions=int(seen.scored.sum()),
        paired_decisions=comparison.paired,
        unpaired=comparison.unpaired,
        errors=seen.errors,
        nan_predictions=seen.nan_predictions,
        matured=comparison.matured,
        parity_max_abs_diff=parity_difference(candidate, seen, features=features, decisions=decisions),
        latency_ms_p50=float(np.quantile(latency, 0.50)),
        latency_ms_p95=float(np.quantile(latency, 0.95)),
        loss_difference=comparison.difference,
        loss_interval=comparison.interval,
        predictions_sha256=file_sha256(path),
        created_at=clock(),
    )


def wrong_way_loss(position: Float2D, outcome: Float2D) -> Float2D:
    """Return (1 − position · sign) / 2: 0 right way, 1 wrong way, ½ flat or unchanged.

    For positions of ±1 this is (position − sign)² / 4. The square is not used for a flat position, where it gives
    ¼ against ½ on average for a coin: a model that never says anything would look better than most.

    Parameters
    ----------
    position : float64 array
        In [−1, 1].
    outcome : float64 array, same shape
        Sign of the realised forward return, −1, 0 or 1; NaN (not matured) gives NaN.

    Examples
    --------
    >>> wrong_way_loss(np.array([1.0, -1.0, 0.0]), np.array([1.0, 1.0, 1.0])).tolist()
    [0.0, 1.0, 0.5]
    """
    return (1.0 - position * outcome) / 2.0


def _compare(seen: Replay, beside: Replay | None, *, outcome: Float2D, stride: int) -> _Comparison:
    """Compare losses; ``stride`` decisions apart, labels no longer overlap."""
    known = np.isfinite(outcome)
    if beside is None:
        matured = int((seen.scored & known).sum())
        return _Comparison(paired=0, unpaired=0, matured=matured, difference=None, interval=None)
    paired = seen.scored & beside.scored
    counted = paired & known
    per_row = wrong_way_loss(seen.direction, outcome) - wrong_way_loss(beside.direction, outcome)
    apart = zip(per_row[::stride], counted[::stride], strict=True)
    differences = np.array([row[use].mean() for row, use in apart if use.any()])
    return _Comparison(
        paired=int(paired.sum()),
        unpaired=int(((seen.asked | beside.asked) & ~paired).sum()),
        matured=int(counted.sum()),
        difference=float(differences.mean()) if len(differences) else None,
        interval=_interval(differences) if len(differences) else None,
    )


def _interval(differences: Float1D) -> Interval:
    """Bound the mean difference at the last time, by a sequence that holds at every time."""
    sequence = confidence_sequence(differences, low=-1.0, high=1.0, alpha=ALPHA)
    return Interval(low=float(sequence.lower[-1]), high=float(sequence.upper[-1]), level=1.0 - ALPHA)


def _realised_sign(history: PriceHistory, *, decisions: Positions, last: int) -> Float2D:
    """Return the sign of P[s+1+h]/P[s+1] − 1, shape (D, N); NaN where it had not matured by ``last``."""
    sign = np.full((len(decisions), len(history.symbols)), np.nan)
    ripe = decisions + 1 + HORIZON_SESSIONS <= last
    entry = history.close[decisions[ripe] + 1]
    exit_ = history.close[decisions[ripe] + 1 + HORIZON_SESSIONS]
    sign[ripe] = np.sign(exit_ - entry)
    return sign


def _sessions_between(history: PriceHistory, *, start: date, end: date) -> Positions:
    inside = (history.sessions >= np.datetime64(start)) & (history.sessions <= np.datetime64(end))
    window = np.flatnonzero(inside)
    if not len(window):
        has = f"{history.sessions[0]} to {history.sessions[-1]}" if len(history.sessions) else "none"
        raise DataMissing(
            f"run a shadow over {start}..{end}",
            found=f"no session there; known are {has}",
            next_step="capture the bars of these sessions, or choose others",
        )
    return window


def _check_arguments(
    active: SignalModel | None,
    *,
    active_ref: ModelRef | None,
    features: FeatureCube,
    history: PriceHistory,
    cadence: int,
) -> None:
    found = ""
    if (active is None) != (active_ref is None):
        found = "an active model without its reference, or the reverse"
    if features.values.shape[:2] != history.close.shape:
        found = f"features of shape {features.values.shape} for closes of shape {history.close.shape}"
    if cadence < 1:
        found = f"a cadence of {cadence} sessions"
    if found:
        raise ConfigInvalid(
            "run a shadow",
            found=found,
            next_step="give a model with its reference, features computed from the same history, a cadence of 1 or more",
        )


def _table(
    history: PriceHistory, decisions: Positions, *, candidate: Replay, active: Replay | None
) -> pa.Table:
    tables = [_role_table(history, decisions, said=candidate, role="candidate")]
    if active is not None:
        tables.append(_role_table(history, decisions, said=active, role="active"))
    return pa.concat_tables(tables)


def _role_table(history: PriceHistory, decisions: Positions, *, said: Replay, role: str) -> pa.Table:
    row, column = np.nonzero(said.scored)
    symbols = np.asarray(history.symbols, dtype=object)[column]
    return pa.table(
        {
            "session": pa.array(history.sessions[decisions[row]].astype("datetime64[D]")),
            "symbol": pa.array(symbols, type=pa.string()),
            "role": pa.array([role] * len(row), type=pa.string()),
            "direction": pa.array(said.direction[row, column].astype(np.int8)),
            "confidence": pa.array(said.confidence[row, column]),
            "expected_return": pa.array(said.expected_return[row, column]),
            "latency_ms": pa.array(said.latency_ms[row]),
        }
    )


def _midnight(session: np.datetime64) -> datetime:
    day: date = session.astype("datetime64[D]").item()
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
