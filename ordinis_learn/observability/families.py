"""Every metric there is: its name, kind, labels, and what it says.

A counter never falls while the facts behind it stay: it counts what is stored for good (captured events, registered
versions, records of the ledger), not what a process has seen. Moments are seconds since 1970, so that an age is
``time() - metric`` at the moment of the question and not at that of the scrape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

__all__ = ["FAMILIES", "Family"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One metric; ``labels`` in the order in which they are written."""

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...] = ()
    help: str


_ALL: Final = (
    Family(
        name="learn_events_total", kind="counter", labels=("type",), help="Captured events, hot and sealed."
    ),
    Family(name="learn_event_log_position", kind="gauge", help="Position of the newest event of the log."),
    Family(name="learn_event_segments", kind="gauge", help="Sealed files of events that readers see."),
    Family(
        name="learn_quarantine_entries",
        kind="gauge",
        labels=("code",),
        help="Events that wait in the quarantine, by error code; released ones leave it.",
    ),
    Family(
        name="learn_train_total",
        kind="counter",
        labels=("model_type", "status"),
        help="Trainings: versions that were registered (succeeded) and attempts that failed.",
    ),
    Family(
        name="learn_eval_total",
        kind="counter",
        labels=("pack", "status"),
        help="Evaluations on a pack: scorecards (succeeded) and attempts that failed.",
    ),
    Family(
        name="learn_drift_score",
        kind="gauge",
        labels=("model", "metric"),
        help="Largest value of a metric over the features in a model's newest drift check.",
    ),
    Family(
        name="learn_drift_breached",
        kind="gauge",
        labels=("model",),
        help="1 where a model's newest drift check breached.",
    ),
    Family(
        name="learn_drift_last_check_timestamp_seconds",
        kind="gauge",
        labels=("model",),
        help="When a model was checked for drift last.",
    ),
    Family(
        name="learn_drift_check_due_timestamp_seconds",
        kind="gauge",
        help="When the first drift check after the last one was due, or will be; no series where nothing was ever in use.",
    ),
    Family(
        name="learn_drift_check_total",
        kind="counter",
        labels=("model_type", "status"),
        help="Drift checks: quiet, breached, and attempts that failed.",
    ),
    Family(
        name="learn_drift_alert_total",
        kind="counter",
        labels=("model_type", "metric"),
        help="Drift alerts that were raised.",
    ),
    Family(
        name="learn_model_state_total",
        kind="counter",
        labels=("model_type", "state"),
        help="How often a model version entered a state.",
    ),
    Family(
        name="learn_model_versions",
        kind="gauge",
        labels=("model_type", "state"),
        help="Model versions that are in a state now.",
    ),
    Family(
        name="learn_model_active_since_timestamp_seconds",
        kind="gauge",
        labels=("model",),
        help="Since when the ACTIVE version of a model is active; no series for a model that is flat.",
    ),
    Family(
        name="learn_model_flat",
        kind="gauge",
        labels=("model",),
        help="1 where a model that was ACTIVE once has no ACTIVE version now.",
    ),
    Family(
        name="learn_gate_pass_total",
        kind="counter",
        labels=("model_type", "pack"),
        help="Requests for SHADOW or ACTIVE that the gate allowed, once for each pack the policy asked for.",
    ),
    Family(
        name="learn_gate_refusal_total",
        kind="counter",
        labels=("model_type", "code"),
        help="Requests that the gate refused, by error code.",
    ),
    Family(
        name="learn_rollback_total",
        kind="counter",
        labels=("model_type", "outcome"),
        help="Rollbacks: to the last known good version (swapped), or to nothing (flat).",
    ),
    Family(
        name="learn_datasets_total",
        kind="counter",
        labels=("status",),
        help="Datasets that were built: accepted, or rejected by their expectations.",
    ),
    Family(
        name="learn_dataset_log_position",
        kind="gauge",
        help="Position of the log up to which the newest dataset reads.",
    ),
    Family(name="learn_outbox_pending", kind="gauge", help="Events that wait for the bus."),
    Family(
        name="learn_outbox_oldest_timestamp_seconds",
        kind="gauge",
        help="When the oldest event that waits for the bus was written; no series where none waits.",
    ),
    Family(name="learn_ledger_records_total", kind="counter", help="Records of all chains of the ledger."),
    Family(
        name="learn_ledger_checkpoint_timestamp_seconds",
        kind="gauge",
        help="When the newest checkpoint of the ledger was signed; no series where there is none.",
    ),
    Family(
        name="learn_ledger_checkpoint_records",
        kind="gauge",
        help="Records that the newest checkpoint vouches for; 0 where there is none.",
    ),
    Family(
        name="learn_scrape_error",
        kind="gauge",
        labels=("source",),
        help="1 where a source could not be read this time: its other metrics are absent, not zero.",
    ),
    Family(
        name="learn_scrape_seconds", kind="gauge", labels=("source",), help="How long reading a source took."
    ),
)

FAMILIES: Final[Mapping[str, Family]] = MappingProxyType({family.name: family for family in _ALL})
"""The metrics by name, in the order in which they are exposed."""
