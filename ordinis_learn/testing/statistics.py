"""Statistics of a scorecard as a good candidate's may be, for tests of what reads them."""

from __future__ import annotations

from typing import Any

from ordinis_learn.records import OverfittingFigures, ScorecardStatistics

__all__ = ["overfitting_figures", "sure_statistics"]


def overfitting_figures(**changes: Any) -> OverfittingFigures:
    """Return figures of a choice between two versions that is hardly overfitted."""
    fields = {
        "probability": 0.01,
        "loss_probability": 0.0,
        "degradation": -0.2,
        "blocks": 16,
        "splits": 12_870,
        "sessions": 2500,
        "candidates": ("1", "2"),
        "left_out": {},
    }
    return OverfittingFigures.model_validate(fields | changes)


def sure_statistics(**changes: Any) -> ScorecardStatistics:
    """Return statistics with which every test of the packaged policies passes."""
    fields = {
        "convention": "2012 and 2025",
        "skewness": -0.3,
        "kurtosis": 6.0,
        "autocorrelation": 0.02,
        "probabilistic_sharpe_2012": 0.99,
        "probabilistic_sharpe_2025": 0.99,
        "deflated_sharpe_2012": 0.97,
        "deflated_sharpe_2025": 0.96,
        "track_record_confidence": 0.95,
        "min_track_record_sessions_2012": 1250.0,
        "min_track_record_sessions_2025": 1300.0,
        "p_values": {"sharpe": 0.004, "max_drawdown": 0.3, "deflated_sharpe": 0.03},
        "adjusted_p_values": {"sharpe": 0.012, "max_drawdown": 0.3, "deflated_sharpe": 0.06},
        "block_coverage": {"3": 0.86, "6": 0.9, "10": 0.88},
        "overlap": "purge",
        "system": {
            "error_rate": 0.0,
            "quarantine_rate": 0.0,
            "latency_ms_p50": 0.4,
            "latency_ms_p95": 0.9,
            "baseline_error_rate": 0.0,
            "baseline_quarantine_rate": 0.0,
        },
        "overfitting": overfitting_figures(),
    }
    return ScorecardStatistics.model_validate(fields | changes)
