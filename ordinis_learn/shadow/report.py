"""A report of what a runner kept: paired over matured labels, with an interval that may be looked at every day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.rank_ic import rank_ic_by_session
from ordinis_learn.errors import DataMissing
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.market.limits import DeskParameters
from ordinis_learn.ports import Clock
from ordinis_learn.records import Interval, ModelRef, ShadowFigures, ShadowReport, SideFigures
from ordinis_learn.rollout.shadow import ALPHA, HORIZON_SESSIONS, wrong_way_loss
from ordinis_learn.shadow.answer import Outcome
from ordinis_learn.shadow.counted import Counted, count_rows
from ordinis_learn.shadow.outcomes import Outcomes
from ordinis_learn.shadow.paired_loss import apart, session_means
from ordinis_learn.shadow.would_be import would_be

__all__ = ["Provenance", "paired_differences", "shadow_report"]

Float1D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]
Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where a report's rows come from: the position that they reach, and the hash of the file that holds them."""

    position: int
    source: str
    predictions_sha256: str
    parity_max_abs_diff: float


def shadow_report(
    kept: Columns,
    *,
    outcomes: Outcomes,
    subject: ModelRef,
    active: ModelRef | None,
    counted_from: date,
    desk: DeskParameters,
    provenance: Provenance,
    clock: Clock,
) -> ShadowReport:
    """Make the report.

    Parameters
    ----------
    kept : dict
        Columns of :meth:`~ordinis_learn.shadow.store.ShadowStore.columns`.
    outcomes : Outcomes
        What came, over the sessions of a calendar that ends with the last known bar.
    subject, active : ModelRef
        ``active`` is the version to beat now, None for a first model; rows beside another one do not count.
    counted_from : date
        First session that counts.
    desk : DeskParameters
        Sizes and limits of the would-be positions.

    Raises
    ------
    DataMissing
        No event counts.
    """
    first = int(np.searchsorted(outcomes.calendar.day, (counted_from - date(1970, 1, 1)).days))
    version = None if active is None else active.version
    counted = count_rows(kept, outcomes=outcomes, first_session=first, beside=version)
    pair = _Pair.of(kept, counted=counted, outcomes=outcomes, alone=active is None)
    if not pair.candidate.calls:
        raise _nothing(subject, active, counted=counted, events=len(kept["position"]), since=counted_from)
    figures = _figures(kept, pair=pair, counted_from=counted_from, provenance=provenance, desk=desk)
    days = outcomes.calendar.day
    begin, end = (_midnight(days[session]) for session in (counted.session.min(), counted.session.max()))
    return ShadowReport(
        subject=subject,
        active=active,
        start=begin,
        end=end,
        calendar_days=(end - begin).days,
        sessions=int(np.ptp(counted.session)) + 1,
        decisions=int(pair.candidate.scored.sum()),
        paired_decisions=int(pair.both.sum()),
        unpaired=pair.unpaired,
        errors=_kept_with(kept, Outcome.ERROR, Outcome.TIMEOUT),
        nan_predictions=_kept_with(kept, Outcome.NAN),
        matured=pair.matured,
        parity_max_abs_diff=provenance.parity_max_abs_diff,
        latency_ms_p50=figures.candidate.latency_ms_p50,
        latency_ms_p95=figures.candidate.latency_ms_p95,
        loss_difference=float(pair.differences.mean()) if len(pair.differences) else None,
        loss_interval=_interval(pair.differences),
        predictions_sha256=provenance.predictions_sha256,
        created_at=clock(),
        figures=figures,
    )


def _figures(
    kept: Columns, *, pair: _Pair, counted_from: date, provenance: Provenance, desk: DeskParameters
) -> ShadowFigures:
    counted = pair.candidate.counted
    return ShadowFigures(
        position=provenance.position,
        source=provenance.source,
        calendar=pair.candidate.outcomes.calendar.name,
        counted_from=counted_from.isoformat(),
        events=len(kept["position"]),
        timeouts=_kept_with(kept, Outcome.TIMEOUT),
        counted=len(counted.rows),
        prospective=_prospective(kept, counted=counted, outcomes=pair.candidate.outcomes),
        repeated=counted.repeated,
        late=counted.late,
        ahead=counted.ahead,
        outside=counted.outside,
        empty_sessions=int(np.ptp(counted.session)) + 1 - len(np.unique(counted.session)),
        beside=counted.beside,
        unpaired_rate=pair.unpaired_rate,
        horizon_sessions=HORIZON_SESSIONS,
        stride_sessions=HORIZON_SESSIONS,
        sequence=len(pair.differences),
        candidate=pair.candidate.figures(desk=desk),
        active=None if pair.beside is None else pair.beside.figures(desk=desk),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pair:
    """The candidate and the version beside it over the counted rows; ``beside`` is None for a first model."""

    candidate: _Side
    beside: _Side | None
    differences: Float1D

    @classmethod
    def of(cls, kept: Columns, *, counted: Counted, outcomes: Outcomes, alone: bool) -> _Pair:
        candidate = _Side.of(kept, side="candidate", counted=counted, outcomes=outcomes)
        if alone:
            return cls(candidate=candidate, beside=None, differences=np.empty(0))
        beside = _Side.of(kept, side="active", counted=counted, outcomes=outcomes)
        differences = paired_differences(candidate, beside, counted=counted)
        return cls(candidate=candidate, beside=beside, differences=differences)

    @property
    def both(self) -> Bool1D:
        """Where both have scored; nowhere for a first model."""
        scored = self.candidate.scored
        return scored & self.beside.scored if self.beside is not None else np.zeros_like(scored)

    @property
    def unpaired(self) -> int:
        if self.beside is None:
            return 0
        return int(((self.candidate.asked | self.beside.asked) & ~self.both).sum())

    @property
    def unpaired_rate(self) -> float:
        asked = int(self.both.sum()) + self.unpaired
        return self.unpaired / asked if asked else np.nan

    @property
    def matured(self) -> int:
        ripe = np.isfinite(self.candidate.loss)
        return int((ripe & (self.candidate.scored if self.beside is None else self.both)).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """One model's answers about the counted rows; arrays of shape (n,)."""

    outcome: npt.NDArray[np.object_]
    direction: Float1D
    confidence: Float1D
    expected_return: Float1D
    latency_us: Float1D
    call: Float1D
    volatility: Float1D
    forward_return: Float1D
    loss: Float1D
    counted: Counted
    outcomes: Outcomes

    @classmethod
    def of(cls, kept: Columns, *, side: str, counted: Counted, outcomes: Outcomes) -> _Side:
        mine = {name: kept[f"{side}_{name}"][counted.rows] for name in _ANSWERS}
        came = outcomes.forward_return(counted.session, counted.symbol, horizon=HORIZON_SESSIONS)
        return cls(
            **mine,
            volatility=kept["volatility"][counted.rows],
            forward_return=came,
            loss=wrong_way_loss(mine["direction"], np.sign(came)),
            counted=counted,
            outcomes=outcomes,
        )

    @property
    def scored(self) -> Bool1D:
        return np.asarray(self.outcome == Outcome.SCORED.value, dtype=np.bool_)

    @property
    def asked(self) -> Bool1D:
        return np.array(
            [one is not None and one != Outcome.MISSING.value for one in self.outcome], dtype=np.bool_
        )

    @property
    def calls(self) -> int:
        return len(self._call_ms())

    def figures(self, *, desk: DeskParameters) -> SideFigures:
        count = {outcome: int((self.outcome == outcome.value).sum()) for outcome in Outcome}
        asked = int(self.asked.sum())
        failed = count[Outcome.ERROR] + count[Outcome.TIMEOUT]
        book = would_be(
            self.direction,
            self.confidence,
            self.volatility,
            session=self.counted.session,
            symbol=self.counted.symbol,
            close=self.outcomes.close,
            desk=desk,
        )
        rank_ic = self._rank_ic()
        return SideFigures(
            asked=asked,
            scored=count[Outcome.SCORED],
            missing=count[Outcome.MISSING],
            errors=count[Outcome.ERROR],
            timeouts=count[Outcome.TIMEOUT],
            nan=count[Outcome.NAN],
            error_rate=failed / asked if asked else np.nan,
            nan_rate=count[Outcome.NAN] / asked if asked else np.nan,
            **self._latency(),
            limit_breaches=book.breaches,
            turnover=book.turnover,
            gross_exposure_mean=book.gross_mean,
            gross_exposure_max=book.gross_max,
            net_exposure_mean=book.net_mean,
            rank_ic=float(rank_ic.mean()) if len(rank_ic) else np.nan,
            rank_ic_sessions=len(rank_ic),
            mean_loss=float(self.loss[np.isfinite(self.loss)].mean())
            if np.isfinite(self.loss).any()
            else np.nan,
        )

    def _latency(self) -> Mapping[str, Any]:
        milliseconds = self._call_ms()
        shares = np.percentile(milliseconds, [50, 95, 99]) if len(milliseconds) else np.full(3, np.nan)
        names = ("latency_ms_p50", "latency_ms_p95", "latency_ms_p99")
        return {"calls": len(milliseconds)} | dict(zip(names, shares.tolist(), strict=True))

    def _call_ms(self) -> Float1D:
        """Return milliseconds per call: rows of one call share its latency."""
        known = np.isfinite(self.latency_us) & np.isfinite(self.call)
        calls = np.unique(np.column_stack([self.call[known], self.latency_us[known]]), axis=0)
        milliseconds: Float1D = calls[:, 1] / 1e3
        return milliseconds

    def _rank_ic(self) -> Float1D:
        signed = self.direction * self.confidence
        forecast = np.where(np.isfinite(self.expected_return), self.expected_return, signed)
        days, number = np.unique(self.counted.session, return_inverse=True)
        found = rank_ic_by_session(
            np.where(self.scored, forecast, np.nan), self.forward_return, session=number, sessions=len(days)
        )
        return found[np.isfinite(found)]


_ANSWERS: Final = ("outcome", "direction", "confidence", "expected_return", "latency_us", "call")


def paired_differences(candidate: _Side, active: _Side, *, counted: Counted) -> Float1D:
    """Return candidate minus active in the loss for each session of the sequence, in order."""
    both = candidate.scored & active.scored & counted.in_time
    sessions = apart(np.unique(counted.session[both]), stride=HORIZON_SESSIONS)
    difference = np.where(both, candidate.loss - active.loss, np.nan)
    return session_means(difference, counted.session, sessions=sessions)


def _prospective(kept: Columns, *, counted: Counted, outcomes: Outcomes) -> int:
    """Count the rows that were scored before the session was over in which their outcome became known."""
    exit_session = counted.session + 1 + HORIZON_SESSIONS
    known_at = np.append(outcomes.calendar.closes, np.iinfo(np.int64).max)
    known_at = known_at[np.minimum(exit_session, len(known_at) - 1)]
    return int((kept["scored_at"][counted.rows] < known_at).sum())


def _kept_with(kept: Columns, *outcomes: Outcome) -> int:
    """Count over everything kept: a failure is one also where its event counts for nothing else."""
    return int(np.isin(kept["candidate_outcome"].astype(str), [one.value for one in outcomes]).sum())


def _interval(differences: Float1D) -> Interval | None:
    if not len(differences):
        return None
    sequence = confidence_sequence(differences, low=-1.0, high=1.0, alpha=ALPHA)
    return Interval(low=float(sequence.lower[-1]), high=float(sequence.upper[-1]), level=1.0 - ALPHA)


def _nothing(
    subject: ModelRef, active: ModelRef | None, *, counted: Counted, events: int, since: date
) -> DataMissing:
    beside = "nothing" if active is None else f"version {active.version}"
    ran = (
        ", ".join(f"{number} beside {name or 'nothing'}" for name, number in counted.beside.items()) or "none"
    )
    return DataMissing(
        f"report on the shadow of {subject.name} {subject.version} beside {beside} since {since}",
        found=f"{events} events kept ({ran}); {counted.outside} before that session, {counted.ahead} dated ahead",
        next_step=f"ordinis-learn shadow run {subject.name} {subject.version}, over sessions that nothing was fitted on",
    )


def _midnight(day: np.int64) -> datetime:
    return datetime.combine(
        date.fromordinal(date(1970, 1, 1).toordinal() + int(day)), datetime.min.time(), tzinfo=UTC
    )
