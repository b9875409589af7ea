"""What a drift check found."""

from __future__ import annotations

from typing import Literal

from ordinis_learn.records.base import Record, UtcDatetime

__all__ = ["DriftAlert", "DriftFinding", "DriftReport", "Severity"]

Severity = Literal["none", "info", "warning", "critical"]


class DriftFinding(Record):
    """One metric of one feature (or of the predictions).

    ``threshold`` is the null's quantile at this sample size and autocorrelation; ``q_value`` the p-value after
    Benjamini-Hochberg. ``severity`` needs both: material effect and significance.
    """

    feature: str
    metric: str
    value: float
    threshold: float
    p_value: float
    q_value: float
    severity: Severity


class DriftReport(Record):
    """One check of one model against the profile of its training data."""

    schema_version: Literal["1.0.0"] = "1.0.0"
    model: str
    version: str
    dataset_ref: str
    start: UtcDatetime
    end: UtcDatetime
    reference_rows: int
    current_rows: int
    alpha: float
    findings: tuple[DriftFinding, ...]
    breached: bool
    created_at: UtcDatetime


class DriftAlert(Record):
    """Raised by a breached report; what ``ordinis.learn.drift.alert`` carries."""

    alert_id: str
    model: str
    version: str
    severity: Severity
    features: tuple[str, ...]
    metric: str
    value: float
    threshold: float
    action: Literal["alert", "block_promotions", "roll_back"]
    at: UtcDatetime
