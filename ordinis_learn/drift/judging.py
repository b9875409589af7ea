"""From measured distances to graded findings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ordinis_learn.drift.fdr import benjamini_hochberg
from ordinis_learn.drift.measurement import Measured
from ordinis_learn.drift.severity import severity_of
from ordinis_learn.records import DriftFinding

__all__ = ["judge"]


def judge(measured: Sequence[Measured], *, alpha: float) -> tuple[DriftFinding, ...]:
    """Control the share of false alarms over what could be measured, and grade each finding."""
    known = [each for each in measured if np.isfinite(each.values[0])]
    q_values = benjamini_hochberg(np.array([each.p_values[0] for each in known]))
    return tuple(
        DriftFinding(
            feature=each.feature,
            metric=each.metric,
            value=float(each.values[0]),
            threshold=each.threshold,
            p_value=float(each.p_values[0]),
            q_value=float(q_value),
            severity=severity_of(each.effects[0]) if q_value <= alpha else "none",
        )
        for each, q_value in zip(known, q_values, strict=True)
    )
