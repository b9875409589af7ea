"""How long a model takes to answer for one session, as it will be asked in trading."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.evaluation.predictions import MODEL_FAILURES, complete_rows
from ordinis_learn.market import FeatureCube
from ordinis_learn.models import SignalModel

__all__ = ["Timer", "session_latency_ms"]

Timer = Callable[[], float]
"""Returns seconds that only grow, as :func:`time.perf_counter` does."""

_SESSIONS: Final = 101


def session_latency_ms(model: SignalModel, cube: FeatureCube, *, timer: Timer) -> tuple[float, float]:
    """Return the median and the 95th percentile of one session's answer, in milliseconds.

    The newest 101 sessions with complete features are asked one by one; the first, which warms up, does not
    count. An answer that fails took its time as well. NaN with fewer than two such sessions.
    """
    asked, matrix = complete_rows(model, cube)
    parts = np.split(matrix, np.cumsum(asked.sum(axis=1))[:-1])
    newest = [rows for rows in parts if len(rows)][-_SESSIONS:]
    durations = [_seconds(model, rows, timer=timer) for rows in newest][1:]
    if not durations:
        return np.nan, np.nan
    median, late = np.percentile(np.array(durations) * 1e3, [50.0, 95.0])
    return float(median), float(late)


def _seconds(model: SignalModel, rows: npt.NDArray[np.float64], *, timer: Timer) -> float:
    begun = timer()
    with contextlib.suppress(*MODEL_FAILURES):
        model.predict(rows)
    return timer() - begun
