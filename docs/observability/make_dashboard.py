"""Write ``dashboard.json`` for Grafana: ``python docs/observability/make_dashboard.py``.

The panels are a table, so that a change is one line; a test sees that the file is what this makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("dashboard.json")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ROWS: tuple[tuple[str, tuple[tuple[str, str, str, str, str], ...]], ...] = (
    (
        "What trades",
        (
            (
                "Versions by state",
                "stat",
                'sum by (state) (learn_model_versions{model_type=~"$model_type"})',
                "{{state}}",
                "short",
            ),
            (
                "ACTIVE since",
                "table",
                "time() - learn_model_active_since_timestamp_seconds",
                "{{model}}",
                "s",
            ),
            ("Flat models", "stat", "sum(learn_model_flat) or vector(0)", "flat", "short"),
            (
                "Rollbacks in a day",
                "stat",
                "sum by (outcome) (increase(learn_rollback_total[24h]))",
                "{{outcome}}",
                "short",
            ),
        ),
    ),
    (
        "Drift",
        (
            (
                "PSI, largest of a model's features",
                "timeseries",
                'learn_drift_score{metric="psi"}',
                "{{model}}",
                "none",
            ),
            (
                "Other scores, largest of a model's features",
                "timeseries",
                'learn_drift_score{metric!="psi"}',
                "{{model}} {{metric}}",
                "none",
            ),
            (
                "Since the last check",
                "table",
                "time() - learn_drift_last_check_timestamp_seconds",
                "{{model}}",
                "s",
            ),
            ("Breached in the newest check", "table", "learn_drift_breached", "{{model}}", "bool_yes_no"),
            (
                "Alerts in a day",
                "timeseries",
                "sum by (metric) (increase(learn_drift_alert_total[24h]))",
                "{{metric}}",
                "short",
            ),
            (
                "Checks in a day",
                "timeseries",
                "sum by (status) (increase(learn_drift_check_total[24h]))",
                "{{status}}",
                "short",
            ),
        ),
    ),
    (
        "Learning",
        (
            (
                "Trainings in a day",
                "timeseries",
                'sum by (status) (increase(learn_train_total{model_type=~"$model_type"}[24h]))',
                "{{status}}",
                "short",
            ),
            (
                "Evaluations in a day",
                "timeseries",
                "sum by (pack, status) (increase(learn_eval_total[24h]))",
                "{{pack}} {{status}}",
                "short",
            ),
            ("Datasets", "stat", "sum by (status) (learn_datasets_total)", "{{status}}", "short"),
            (
                "Events since the newest dataset",
                "stat",
                "learn_event_log_position - learn_dataset_log_position",
                "events",
                "short",
            ),
        ),
    ),
    (
        "The gate",
        (
            (
                "Passed in a day, by pack",
                "timeseries",
                "sum by (pack) (increase(learn_gate_pass_total[24h]))",
                "{{pack}}",
                "short",
            ),
            (
                "Refused in a day, by code",
                "timeseries",
                "sum by (code) (increase(learn_gate_refusal_total[24h]))",
                "{{code}}",
                "short",
            ),
            (
                "Changes of state in a day",
                "timeseries",
                'sum by (state) (increase(learn_model_state_total{model_type=~"$model_type"}[24h]))',
                "{{state}}",
                "short",
            ),
            ("Ledger records", "timeseries", "learn_ledger_records_total", "records", "short"),
            (
                "Records after the newest checkpoint",
                "stat",
                "learn_ledger_records_total - on () learn_ledger_checkpoint_records",
                "records",
                "short",
            ),
            (
                "Since the newest checkpoint",
                "stat",
                "time() - learn_ledger_checkpoint_timestamp_seconds",
                "age",
                "s",
            ),
        ),
    ),
    (
        "Capture and bus",
        (
            (
                "Events per second",
                "timeseries",
                "sum by (type) (rate(learn_events_total[5m]))",
                "{{type}}",
                "ops",
            ),
            ("Quarantine", "timeseries", "learn_quarantine_entries", "{{code}}", "short"),
            ("Outbox", "timeseries", "learn_outbox_pending", "waiting", "short"),
            (
                "Oldest event in the outbox",
                "stat",
                "time() - learn_outbox_oldest_timestamp_seconds",
                "age",
                "s",
            ),
            ("Sealed files", "stat", "learn_event_segments", "files", "short"),
        ),
    ),
    (
        "The watcher itself",
        (
            ("Sources that cannot be read", "stat", "sum(learn_scrape_error)", "sources", "short"),
            ("Reading a source takes", "timeseries", "learn_scrape_seconds", "{{source}}", "s"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS:
        panels.append(_heading(title, number=len(panels) + 1, top=top))
        top += 1
        width = 6 if len(row) % 4 == 0 else 8 if len(row) % 3 == 0 else 12 if len(row) == 2 else 6
        for place, panel in enumerate(row):
            left, down = place * width % 24, place * width // 24
            panels.append(_panel(*panel, number=len(panels) + 1, at=(left, top + 7 * down, width)))
        top += 7 * ((len(row) * width - 1) // 24 + 1)
    return {
        "title": "Ordinis Learn",
        "uid": "ordinis-learn",
        "tags": ["ordinis"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-7d", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
                {
                    "name": "model_type",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": "label_values(learn_model_versions, model_type)",
                    "includeAll": True,
                    "allValue": ".*",
                    "multi": True,
                    "current": {"text": "All", "value": "$__all"},
                    "label": "Model type",
                    "refresh": 2,
                },
            ]
        },
        "panels": panels,
    }


def _heading(title: str, *, number: int, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": 24, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(
    title: str, kind: str, query: str, legend: str, unit: str, *, number: int, at: tuple[int, int, int]
) -> dict[str, Any]:
    left, top, width = at
    target: dict[str, Any] = {"refId": "A", "expr": query, "legendFormat": legend, "datasource": SOURCE}
    if kind != "timeseries":
        target["instant"] = True
    if kind == "table":
        target["format"] = "table"
    return {
        "id": number,
        "type": kind,
        "title": title,
        "datasource": SOURCE,
        "gridPos": {"x": left, "y": top, "w": width, "h": 7},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [target],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(dashboard(), indent=2) + "\n", encoding="utf-8")
