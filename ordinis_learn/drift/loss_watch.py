"""Follow a model's loss session by session, from one check to the next.

The watch is a value: what the record looked like, the thresholds that follow from it, and how far each detector has come.
What is followed is the loss above the record's mean, in units of its own recent movement (:mod:`ordinis_learn.drift.loss_scale`).
It moves only forward in sessions, so a session counts once however often it is shown, and what is read twice or late
changes nothing. Corrections to a session that was counted are not seen; a new watch over the same sessions sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.cusum import Cusum
from ordinis_learn.drift.loss_scale import LossScale, scaled
from ordinis_learn.drift.page_hinkley import PageHinkley
from ordinis_learn.drift.run_length import RunLength, calibrate_run_length, standardised
from ordinis_learn.drift.sequential import SequentialDetector
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.records import DriftFinding, Record, Severity

__all__ = ["LOSS_DETECTORS", "LossWatch", "advance", "begin_watch", "loss_findings"]

_ALLOWANCE: Final = 0.25
"""Half of half a standard deviation of a session: smaller declines take longer than a model is kept."""
_FOLLOWED: Final = 504
_KEPT_PEAKS: Final = 401
_FEWEST_SESSIONS: Final = 40
_CRITICAL: Final = 0.1
"""Of the stated rate of false alarms: so much rarer is what is critical."""

LOSS_DETECTORS: Final[tuple[SequentialDetector, ...]] = (
    Cusum(allowance=_ALLOWANCE),
    PageHinkley(allowance=_ALLOWANCE),
)


class _Progress(Record):
    """How far one detector has come.

    ``alarm_on`` is the latest session on which the statistic stood at or above the threshold, ``alarm_statistic`` and ``alarm_shift``
    are those of the worst session of that stretch.
    """

    metric: str
    threshold: float
    peaks: tuple[float, ...]
    state: tuple[float, ...]
    alarm_on: date | None = None
    alarm_statistic: float = 0.0
    alarm_shift: float = 0.0


class LossWatch(Record):
    """A watch over the paired loss of one model; JSON keeps it to the last digit.

    ``rate`` is that of false alarms per session and detector. ``scale`` is what the loss has moved by until ``last_session``, the last
    one that was counted: at first, the last of the record.
    """

    format: Literal["ordinis.loss_watch/3"] = "ordinis.loss_watch/3"
    record: tuple[float, ...]
    rate: float = Field(gt=0.0, lt=1.0)
    scale: LossScale
    last_session: date
    counted: int = 0
    progress: tuple[_Progress, ...]


def begin_watch(record: Float1D, *, record_until: date, rate: float, draws: int, seed: int) -> LossWatch:
    """Fix the baseline and the thresholds from a record of losses; neither ever moves.

    Parameters
    ----------
    record : float64 array, shape (T,)
        Paired loss of each session, all known.
    record_until : date
        The last session of it.
    rate : float
        False alarms per session and detector: 1/1260 is one in five years.

    Raises
    ------
    DataMissing
        Fewer than 40 sessions.
    """
    if len(record) < _FEWEST_SESSIONS:
        raise DataMissing(
            "watch the loss of a model",
            found=f"a record of {len(record)} sessions; its noise is known from {_FEWEST_SESSIONS} on",
            next_step="check again when more sessions after training have their outcomes",
            sessions=len(record),
        )
    units, scale = _units(record)
    return LossWatch(
        record=tuple(record.tolist()),
        rate=rate,
        scale=scale,
        last_session=record_until,
        progress=tuple(
            _begun(detector, quiet, rate=rate, record_sessions=len(record))
            for detector, quiet in zip(
                LOSS_DETECTORS,
                calibrate_run_length(LOSS_DETECTORS, units, sessions=_FOLLOWED, draws=draws, seed=seed),
                strict=True,
            )
        ),
    )


def advance(watch: LossWatch, *, days: npt.NDArray[np.datetime64], losses: Float1D) -> LossWatch:
    """Count the sessions after the last one counted; those before it are no news.

    Parameters
    ----------
    days : datetime64[D] array, shape (n,)
        Increasing.
    losses : float64 array, shape (n,)
        Paired loss, known by now; a NaN is a session without outcomes and is passed over.

    Raises
    ------
    ConfigInvalid
        The days do not increase.
    """
    if len(days) > 1 and not (np.diff(days) > np.timedelta64(0, "D")).all():
        raise ConfigInvalid(
            "follow the loss of a model",
            found="sessions that do not follow each other in time",
            next_step="pass each session once, oldest first",
        )
    new = (days > np.datetime64(watch.last_session, "D")) & np.isfinite(losses)
    if not new.any():
        return watch
    record = np.array(watch.record)
    units, scale = scaled(losses[new] - record.mean(), scale=watch.scale)
    values = standardised(units, record=_units(record)[0])
    dates: list[date] = days[new].astype("datetime64[D]").tolist()
    followed = [
        _followed(detector, progress, values=values, dates=dates)
        for detector, progress in zip(LOSS_DETECTORS, watch.progress, strict=True)
    ]
    return watch.model_copy(
        update={
            "scale": scale,
            "last_session": dates[-1],
            "counted": watch.counted + len(dates),
            "progress": tuple(followed),
        }
    )


def loss_findings(watch: LossWatch, *, since: date, alpha: float) -> tuple[DriftFinding, ...]:
    """Return one finding per detector: where it stands, or its latest alarm on or after ``since``.

    The p-value is the rate of false alarms per session that a threshold at the value would have. A detector is judged
    by its own rate and not beside the other metrics of a check, so ``q_value`` puts it on their scale: it is at most
    ``alpha`` exactly where the rate is at most the stated one. An alarm is a warning, and critical where a threshold at the
    value would give a tenth of the stated false alarms: any shift that either detector can see within the life of a model is more than
    a model can afford, so the size says little, and how sure it is says more. A shift of less than half of what the record
    earned is info.
    """
    return tuple(
        _finding(watch, detector, progress, since=since, alpha=alpha)
        for detector, progress in zip(LOSS_DETECTORS, watch.progress, strict=True)
    )


def _begun(detector: SequentialDetector, quiet: RunLength, *, rate: float, record_sessions: int) -> _Progress:
    kept = np.quantile(quiet.peaks, np.linspace(0.0, 1.0, _KEPT_PEAKS))
    return _Progress(
        metric=detector.metric,
        threshold=quiet.threshold(rate),
        peaks=tuple(kept.tolist()),
        state=tuple(detector.start(series=1, record_sessions=record_sessions)[0].tolist()),
    )


def _followed(
    detector: SequentialDetector, progress: _Progress, *, values: Float1D, dates: Sequence[date]
) -> _Progress:
    state = np.array([progress.state])
    alarm_on, worst = progress.alarm_on, (progress.alarm_statistic, progress.alarm_shift)
    for day, value in zip(dates, values, strict=True):
        was_above = _is_alarm(progress, float(detector.statistic(state)[0]))
        state = detector.step(state, np.array([value]))
        statistic = float(detector.statistic(state)[0])
        if _is_alarm(progress, statistic):
            here = statistic, float(detector.shift(state)[0])
            alarm_on, worst = day, max(worst, here) if was_above else here
    return progress.model_copy(
        update={
            "state": tuple(state[0].tolist()),
            "alarm_on": alarm_on,
            "alarm_statistic": worst[0],
            "alarm_shift": worst[1],
        }
    )


def _is_alarm(progress: _Progress, statistic: float) -> bool:
    return statistic >= progress.threshold and statistic > 0.0


def _finding(
    watch: LossWatch, detector: SequentialDetector, progress: _Progress, *, since: date, alpha: float
) -> DriftFinding:
    state = np.array([progress.state])
    value, shift = float(detector.statistic(state)[0]), float(detector.shift(state)[0])
    if progress.alarm_on is not None and progress.alarm_on >= since and value < progress.threshold:
        value, shift = progress.alarm_statistic, progress.alarm_shift
    rate = RunLength(peaks=np.array(progress.peaks), sessions=_FOLLOWED).rate(value)
    alarmed = _is_alarm(progress, value)
    q_value = min(rate * alpha / watch.rate, 1.0)
    return DriftFinding(
        feature="outcome",
        metric=detector.metric,
        value=value,
        threshold=progress.threshold,
        p_value=rate,
        q_value=min(q_value, alpha) if alarmed else max(q_value, float(np.nextafter(alpha, 1.0))),
        severity=_severity(watch, shift=shift, rate=rate) if alarmed else "none",
    )


def _severity(watch: LossWatch, *, shift: float, rate: float) -> Severity:
    if shift < _half_lost(np.array(watch.record)):
        return "info"
    return "critical" if rate <= _CRITICAL * watch.rate else "warning"


def _half_lost(record: Float1D) -> float:
    """Return by how much the scores of the record rise where half of what it earned is lost."""
    units, _ = _units(record)
    centred = record - record.mean()
    less, _ = scaled(centred - record.mean() / 2.0, scale=LossScale.before(centred))
    return float(standardised(less, record=units).mean())


def _units(record: Float1D) -> tuple[Float1D, LossScale]:
    """Return the record in units of its movement, its mean taken away: of what is earned every session no unit makes a movement."""
    centred = record - record.mean()
    return scaled(centred, scale=LossScale.before(centred))
