"""Every error a user of Ordinis Learn can meet.

The tree::

    LearnError                      the root; carries code, retryable, data
    ├── ConfigInvalid               E_CFG_INVALID                (also ValueError)
    ├── EventInvalid                E_EVT_SCHEMA_INVALID         (also ValueError)
    │   ├── EventTopicUnknown       E_EVT_TOPIC_UNKNOWN
    │   ├── EventVersionUnsupported E_EVT_SCHEMA_INCOMPATIBLE
    │   ├── EventTagsMissing        E_EVT_TAGS_MISSING
    │   └── EventTooLarge           E_EVT_TOO_LARGE
    ├── DataMissing                 E_LEARN_DATA_MISSING
    │   └── DatasetRejected         E_LEARN_DATASET_REJECTED
    ├── DataCorrupt                 E_LEARN_DATA_CORRUPT
    ├── AlertUndelivered            E_LEARN_ALERT_UNDELIVERED    retryable
    ├── StoreUnavailable            E_LEARN_STORE_UNAVAILABLE    retryable
    ├── ShadowSetAside              E_LEARN_SHADOW_SET_ASIDE     retryable
    ├── BusUnavailable              E_LEARN_BUS_UNAVAILABLE      retryable
    ├── LlmUnavailable              E_LEARN_LLM_UNAVAILABLE      retryable
    ├── LlmRejected                 E_LEARN_LLM_REJECTED
    ├── CostCapReached              E_LEARN_LLM_COST_CAP
    ├── CassetteMissing             E_LEARN_LLM_CASSETTE_MISSING (also LookupError)
    ├── TrainFailed                 E_LEARN_TRAIN_FAILED         retryable
    ├── EvalFailed                  E_LEARN_EVAL_FAILED          retryable
    ├── ArtifactMissing             E_LEARN_ARTIFACT_MISSING     (also LookupError)
    ├── RolloutDenied               E_LEARN_ROLLOUT_DENIED       the umbrella of every refusal
    │   ├── GateFailed              E_LEARN_GATE_FAILED
    │   ├── ApprovalMissing         E_LEARN_APPROVAL_MISSING
    │   ├── DriftBreach             E_LEARN_DRIFT_BREACH
    │   └── CoolingDown             E_LEARN_COOL_DOWN
    ├── EvidenceInvalid             E_LEARN_EVIDENCE_INVALID
    ├── BenchDataMissing            E_BENCH_DATA_MISSING
    ├── PolicyMissing               E_GOV_POLICY_MISSING
    ├── AuditWriteFailed            E_GOV_AUDIT_WRITE_FAILED     retryable
    └── AuditChainBroken            E_AUDIT_CHAIN_BROKEN

A message has three parts: what was asked, what was found, and what to type next.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "AlertUndelivered",
    "ApprovalMissing",
    "ArtifactMissing",
    "AuditChainBroken",
    "AuditWriteFailed",
    "BenchDataMissing",
    "BusUnavailable",
    "CassetteMissing",
    "ConfigInvalid",
    "CoolingDown",
    "CostCapReached",
    "DataCorrupt",
    "DataMissing",
    "DatasetRejected",
    "DriftBreach",
    "EvalFailed",
    "EventInvalid",
    "EventTagsMissing",
    "EventTooLarge",
    "EventTopicUnknown",
    "EventVersionUnsupported",
    "EvidenceInvalid",
    "GateFailed",
    "LearnError",
    "LlmRejected",
    "LlmUnavailable",
    "PolicyMissing",
    "RolloutDenied",
    "ShadowSetAside",
    "StoreUnavailable",
    "TrainFailed",
]


class LearnError(Exception):
    """The root of every error raised on purpose.

    Parameters
    ----------
    asked : str
        What the caller wanted, e.g. ``"build dataset 'core' over 2001-01-01..2001-02-01"``.
    found : str
        What stood in the way.
    next_step : str
        What to type or change next.
    **data
        The facts behind the message, for programs; kept in :attr:`data`.

    Examples
    --------
    >>> error = DataMissing("train on 'core@1f'", found="12 rows", next_step="widen the window", rows=12)
    >>> error.code, error.retryable, error.data["rows"]
    ('E_LEARN_DATA_MISSING', False, 12)
    >>> print(error)
    E_LEARN_DATA_MISSING: train on 'core@1f': 12 rows. Next: widen the window
    """

    code: ClassVar[str] = "E_LEARN"
    retryable: ClassVar[bool] = False

    def __init__(self, asked: str, *, found: str, next_step: str, **data: Any) -> None:
        self.asked = asked
        self.found = found
        self.next_step = next_step
        self.data = data
        super().__init__(f"{self.code}: {asked}: {found}. Next: {next_step}")


class ConfigInvalid(LearnError, ValueError):
    """A setting, argument or file of settings cannot be used."""

    code = "E_CFG_INVALID"


class EventInvalid(LearnError, ValueError):
    """An event does not have the shape its type promises; it was quarantined whole."""

    code = "E_EVT_SCHEMA_INVALID"


class EventTopicUnknown(EventInvalid):
    """No schema is known for the event's type."""

    code = "E_EVT_TOPIC_UNKNOWN"


class EventVersionUnsupported(EventInvalid):
    """The event's schema has a newer major version than this release reads."""

    code = "E_EVT_SCHEMA_INCOMPATIBLE"


class EventTagsMissing(EventInvalid):
    """One of the required envelope tags is absent."""

    code = "E_EVT_TAGS_MISSING"


class EventTooLarge(EventInvalid):
    """The payload is over the limit of 1 MiB."""

    code = "E_EVT_TOO_LARGE"


class DataMissing(LearnError):
    """There is not enough (labelled) data for what was asked."""

    code = "E_LEARN_DATA_MISSING"


class DatasetRejected(DataMissing):
    """The dataset exists but failed its expectations; it is kept and cannot be trained on."""

    code = "E_LEARN_DATASET_REJECTED"


class DataCorrupt(LearnError):
    """Stored bytes no longer have the hash that was recorded for them."""

    code = "E_LEARN_DATA_CORRUPT"


class AlertUndelivered(LearnError):
    """The receiver of an alert did not take it this time; ``data`` may say ``retry_after_s``."""

    code = "E_LEARN_ALERT_UNDELIVERED"
    retryable = True


class StoreUnavailable(LearnError):
    """A file, folder or database cannot be read or written right now."""

    code = "E_LEARN_STORE_UNAVAILABLE"
    retryable = True


class ShadowSetAside(LearnError):
    """A model beside which a shadow runs was silent too often in a row; what was asked is kept, and the next pass goes on behind it."""

    code = "E_LEARN_SHADOW_SET_ASIDE"
    retryable = True


class BusUnavailable(LearnError):
    """The message broker cannot be reached, or did not confirm what it was given."""

    code = "E_LEARN_BUS_UNAVAILABLE"
    retryable = True


class LlmUnavailable(LearnError):
    """The endpoint of a language model gave no usable answer this time; asking again may help."""

    code = "E_LEARN_LLM_UNAVAILABLE"
    retryable = True


class LlmRejected(LearnError):
    """The endpoint will not take this request, however often it is sent."""

    code = "E_LEARN_LLM_REJECTED"


class CostCapReached(LearnError):
    """The next request might cost more than is left; it was not sent."""

    code = "E_LEARN_LLM_COST_CAP"


class CassetteMissing(LearnError, LookupError):
    """A request is to be answered from a recording, and no recording has it."""

    code = "E_LEARN_LLM_CASSETTE_MISSING"


class TrainFailed(LearnError):
    """A training job failed; what was active stays active."""

    code = "E_LEARN_TRAIN_FAILED"
    retryable = True


class EvalFailed(LearnError):
    """An evaluation could not be carried out; that is not a verdict on the model."""

    code = "E_LEARN_EVAL_FAILED"
    retryable = True


class ArtifactMissing(LearnError, LookupError):
    """No model artifact has the id, name or version that was asked for."""

    code = "E_LEARN_ARTIFACT_MISSING"


class RolloutDenied(LearnError):
    """Governance refused; ``data["decision"]`` holds the recorded decision where one was made."""

    code = "E_LEARN_ROLLOUT_DENIED"


class GateFailed(RolloutDenied):
    """At least one rule of the policy did not pass (or could not be evaluated)."""

    code = "E_LEARN_GATE_FAILED"


class ApprovalMissing(RolloutDenied):
    """The numbers pass, the people have not said yes."""

    code = "E_LEARN_APPROVAL_MISSING"


class DriftBreach(RolloutDenied):
    """A drift breach blocks promotions of this model."""

    code = "E_LEARN_DRIFT_BREACH"


class CoolingDown(RolloutDenied):
    """The model was rolled back a short while ago: nothing is promoted until its cool-down is over."""

    code = "E_LEARN_COOL_DOWN"


class EvidenceInvalid(LearnError):
    """A statement is malformed, about something else, or not signed by a trusted key in the right role."""

    code = "E_LEARN_EVIDENCE_INVALID"


class BenchDataMissing(LearnError):
    """A benchmark pack, or the prices behind it, is not there."""

    code = "E_BENCH_DATA_MISSING"


class PolicyMissing(LearnError):
    """The policy that governs a model cannot be found or read; its gate is closed."""

    code = "E_GOV_POLICY_MISSING"


class AuditWriteFailed(LearnError):
    """The ledger could not be written, so nothing was changed."""

    code = "E_GOV_AUDIT_WRITE_FAILED"
    retryable = True


class AuditChainBroken(LearnError):
    """The ledger does not verify; ``data["faults"]`` names the records."""

    code = "E_AUDIT_CHAIN_BROKEN"
