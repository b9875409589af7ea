"""Settings: defaults < profile in ``ordinis.toml`` < environment < arguments.

Every key of the specification may be set as ``ORDINIS_LEARN_MIN_SAMPLES`` or as the bare
``LEARN_MIN_SAMPLES``; the prefixed name wins. Nothing is read at import.
"""

from __future__ import annotations

import getpass
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.locations import locate

__all__ = ["Settings", "load_settings"]


# Spelled out because records stand above settings; tests/bus/test_addresses.py compares them with ``Topic``.
_BUS_TOPICS = (
    "ordinis.signals.generated",
    "ordinis.risk.decision",
    "ordinis.executions.report",
    "ordinis.portfolio.snapshot",
    "ordinis.analytics.report",
    "ordinis.ai.response",
    "ordinis.ai.refusal",
    "ordinis.ai.feedback",
    "ordinis.features.vector.computed",
    "ordinis.market.bar.closed",
    "ordinis.orders.intent",
)


_SECRETS = ("LEARN_ALERT_URL", "LEARN_ALERT_ESCALATION_URL", "LEARN_LLM_API_KEY")
"""Their values appear in no message."""


def _key(default: Any, key: str, /, **constraints: Any) -> Any:
    aliases = AliasChoices(f"ORDINIS_{key}", key)
    return Field(default, validation_alias=aliases, **constraints)


class Settings(BaseSettings):
    """What can be configured, with the specification's names and defaults.

    Durations carry their unit in the name; returns and drawdowns are fractions.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=Path.cwd, validation_alias="ORDINIS_HOME")
    profile: Literal["dev", "paper", "prod"] = Field("dev", validation_alias="ORDINIS_PROFILE")
    actor: str = Field(default_factory=getpass.getuser, validation_alias="ORDINIS_ACTOR")

    learn_enable: bool = _key(True, "LEARN_ENABLE")
    learn_train_schedule: str = _key("manual", "LEARN_TRAIN_SCHEDULE")
    learn_min_samples: int = _key(1000, "LEARN_MIN_SAMPLES", ge=1)
    learn_eval_packs: tuple[str, ...] = _key(("bench_core_v1",), "LEARN_EVAL_PACKS")
    learn_rollout_mode: Literal["shadow", "active"] = _key("shadow", "LEARN_ROLLOUT_MODE")
    learn_gate_delta_sharpe: float = _key(0.10, "LEARN_GATE_DELTA_SHARPE")
    learn_gate_maxdd_tol: float = _key(0.02, "LEARN_GATE_MAXDD_TOL", ge=0)
    learn_shadow_duration_days: int = _key(7, "LEARN_SHADOW_DURATION_DAYS", ge=1)
    learn_shadow_time_limit_s: float = _key(5.0, "LEARN_SHADOW_TIME_LIMIT_S", gt=0, le=600)
    learn_shadow_source: Literal["features", "signals"] = _key("features", "LEARN_SHADOW_SOURCE")
    learn_shadow_poll_s: float = _key(1.0, "LEARN_SHADOW_POLL_S", gt=0, le=3600)
    learn_drift_psi_thresh: float = _key(0.2, "LEARN_DRIFT_PSI_THRESH", gt=0)
    learn_drift_window_sessions: int = _key(21, "LEARN_DRIFT_WINDOW_SESSIONS", ge=2, le=252)
    learn_drift_dataset: str | None = _key(None, "LEARN_DRIFT_DATASET")
    learn_response_policy: str = _key("response_v1", "LEARN_RESPONSE_POLICY")
    learn_runbook_url: str = _key("docs/operations.md", "LEARN_RUNBOOK_URL")
    learn_alert_url: SecretStr | None = _key(None, "LEARN_ALERT_URL")
    learn_alert_escalation_url: SecretStr | None = _key(None, "LEARN_ALERT_ESCALATION_URL")
    learn_alert_shape: Literal["json", "slack"] = _key("json", "LEARN_ALERT_SHAPE")
    learn_alert_timeout_s: float = _key(5.0, "LEARN_ALERT_TIMEOUT_S", gt=0, le=60)
    learn_watch_calendar: str = _key("XNYS", "LEARN_WATCH_CALENDAR")
    learn_watch_delay_minutes: float = _key(30.0, "LEARN_WATCH_DELAY_MINUTES", ge=0, le=1440)
    learn_watch_poll_s: float = _key(60.0, "LEARN_WATCH_POLL_S", gt=0, le=3600)
    learn_events_url: str | None = _key(None, "LEARN_EVENTS_URL")
    learn_seal_buckets: int = _key(4, "LEARN_SEAL_BUCKETS", ge=1, le=1024)
    learn_dataset_retention_days: int = _key(365, "LEARN_DATASET_RETENTION_DAYS", ge=90, le=365)
    learn_datasets_url: str | None = _key(None, "LEARN_DATASETS_URL", pattern=r"^[a-z0-9+]+://")
    learn_dataset_workers: int | None = _key(None, "LEARN_DATASET_WORKERS", ge=1)
    learn_dask_scheduler: str | None = _key(None, "LEARN_DASK_SCHEDULER")
    learn_study_url: str | None = _key(None, "LEARN_STUDY_URL", pattern=r"^postgresql(\+[a-z0-9]+)?://")
    learn_train_scheduler: str | None = _key(None, "LEARN_TRAIN_SCHEDULER")
    learn_train_workers: int | None = _key(None, "LEARN_TRAIN_WORKERS", ge=1)
    learn_train_memory_gb: float = _key(8.0, "LEARN_TRAIN_MEMORY_GB", gt=0)
    learn_train_system_metrics: bool = _key(True, "LEARN_TRAIN_SYSTEM_METRICS")
    learn_train_retries: int = _key(1, "LEARN_TRAIN_RETRIES", ge=0, le=10)
    learn_train_retry_wait_s: float = _key(1.0, "LEARN_TRAIN_RETRY_WAIT_S", ge=0, le=3600)
    learn_llm_url: str | None = _key(None, "LEARN_LLM_URL", pattern=r"^(https?://|local:smollm2$)")
    learn_llm_api_key: SecretStr | None = _key(None, "LEARN_LLM_API_KEY")
    learn_llm_timeout_s: float = _key(60.0, "LEARN_LLM_TIMEOUT_S", gt=0, le=3600)
    learn_llm_concurrency: int = _key(4, "LEARN_LLM_CONCURRENCY", ge=1, le=256)
    learn_llm_requests_per_minute: float | None = _key(None, "LEARN_LLM_REQUESTS_PER_MINUTE", gt=0)
    learn_llm_tokens_per_minute: float | None = _key(None, "LEARN_LLM_TOKENS_PER_MINUTE", gt=0)
    learn_llm_price_prompt: float | None = _key(None, "LEARN_LLM_PRICE_PROMPT", ge=0)
    learn_llm_price_completion: float | None = _key(None, "LEARN_LLM_PRICE_COMPLETION", ge=0)
    learn_llm_cost_cap: float | None = _key(None, "LEARN_LLM_COST_CAP", gt=0)
    learn_llm_cassette: Path | None = _key(None, "LEARN_LLM_CASSETTE")
    learn_llm_cassette_mode: Literal["auto", "replay"] = _key("auto", "LEARN_LLM_CASSETTE_MODE")
    learn_retired_models_kept: int = _key(10, "LEARN_RETIRED_MODELS_KEPT", ge=1)
    learn_bus_url: str = _key("memory://", "LEARN_BUS_URL")
    learn_bus_topics: tuple[str, ...] = _key(_BUS_TOPICS, "LEARN_BUS_TOPICS", min_length=1)
    learn_bus_group: str = _key("learn", "LEARN_BUS_GROUP", pattern=r"^[A-Za-z0-9_-]+$")
    learn_bus_batch: int = _key(500, "LEARN_BUS_BATCH", ge=1, le=10_000)
    learn_bus_ack_wait_s: float = _key(30.0, "LEARN_BUS_ACK_WAIT_S", ge=1, le=3600)
    learn_metrics_host: str = _key("127.0.0.1", "LEARN_METRICS_HOST", min_length=1)
    learn_metrics_port: int = _key(9464, "LEARN_METRICS_PORT", ge=0, le=65535)
    learn_metrics_token: SecretStr | None = _key(None, "LEARN_METRICS_TOKEN", min_length=16)
    ledger_checkpoint_target: str = _key("file", "LEDGER_CHECKPOINT_TARGET")
    ledger_checkpoint_required: bool = _key(False, "LEDGER_CHECKPOINT_REQUIRED")
    key_store: Literal["file", "keyring"] = _key("file", "KEY_STORE")
    gov_policy_version: str | None = _key(None, "GOV_POLICY_VERSION")
    gov_preflight_url: str | None = _key(None, "GOV_PREFLIGHT_URL", pattern=r"^https?://")
    gov_preflight_timeout_s: float = _key(2.0, "GOV_PREFLIGHT_TIMEOUT_S", gt=0, le=60)
    bench_windows_months: tuple[int, ...] = _key((3, 6, 9, 12), "BENCH_WINDOWS_MONTHS")
    bench_years_lookback: int = _key(15, "BENCH_YEARS_LOOKBACK", ge=1)
    bench_packs_per_universe: int = _key(50, "BENCH_PACKS_PER_UNIVERSE", ge=1)
    bench_include_stress: bool = _key(True, "BENCH_INCLUDE_STRESS")
    bench_max_position: float = _key(1.0, "BENCH_MAX_POSITION", gt=0, le=10)
    bench_shorts: bool = _key(True, "BENCH_SHORTS")
    bench_borrow_bps: float = _key(0.0, "BENCH_BORROW_BPS", ge=0, le=10_000)
    bench_strictness: Literal["fail", "drop"] = _key("fail", "BENCH_STRICTNESS")

    @field_validator("learn_alert_url", "learn_alert_escalation_url")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("it must begin with http:// or https://")
        return url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the profile file below the environment; ignore dotenv and secret files."""
        del settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings, _profile_source  # type: ignore[return-value]

    @property
    def database_path(self) -> Path:
        """The SQLite file with MLflow's tables and ours."""
        return self.home / "registry_db" / "ordinis.db"

    @property
    def event_log_path(self) -> Path:
        """The hot event log."""
        return self.home / "data" / "events.db"

    @property
    def sealed_dir(self) -> Path:
        """Sealed days of events, as Parquet."""
        return self.home / "data" / "events"

    @property
    def datasets_dir(self) -> Path:
        """``<dataset_id>/<version>/`` below it; on object storage where ``LEARN_DATASETS_URL`` says so."""
        return locate(self.learn_datasets_url or self.home / "data" / "datasets")

    @property
    def models_dir(self) -> Path:
        """The artifact root of MLflow runs that this package starts."""
        return self.home / "data" / "models"

    @property
    def studies_dir(self) -> Path:
        """Journals of searches, one file per model."""
        return self.home / "data" / "studies"

    @property
    def bench_dir(self) -> Path:
        """``<pack_id>/`` below it."""
        return self.home / "data" / "bench"

    @property
    def shadow_dir(self) -> Path:
        """Predictions of shadow runs: ``<model>/<version>.db`` as a runner keeps them, ``.parquet`` as a report has them."""
        return self.home / "data" / "shadow"

    @property
    def drift_dir(self) -> Path:
        """Hold what recent rows are compared with."""
        return self.home / "data" / "drift"

    @property
    def reports_dir(self) -> Path:
        """Dossiers and dataset reports for people."""
        return self.home / "data" / "reports"

    @property
    def checkpoints_path(self) -> Path:
        """Heads of the ledger as they were, kept outside the database that they vouch for."""
        return self.home / "data" / "ledger" / "checkpoints.jsonl"

    @property
    def keys_dir(self) -> Path:
        """Private signing keys, one file with mode 0600 per identity."""
        return self.home / "keys"


def _profile_source() -> dict[str, Any]:
    home = Path(os.environ.get("ORDINIS_HOME", "."))
    path = home / "ordinis.toml"
    if not path.is_file():
        return {}
    profile = os.environ.get("ORDINIS_PROFILE", "dev")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(
            f"read the settings file {path}", found=str(error), next_step=f"correct {path} or move it away"
        ) from error
    return _by_alias(document.get(profile, {}))


def _by_alias(values: Mapping[str, Any]) -> dict[str, Any]:
    """Rename fields to the names the sources know.

    Were field names accepted as such, the environment's ``HOME`` would be taken for ours.
    """
    names = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        names[field] = str(alias.choices[0]) if isinstance(alias, AliasChoices) else str(alias)
    return {names.get(field, field): value for field, value in values.items()}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings once, from all their sources.

    Parameters
    ----------
    **overrides
        Arguments; they win over the environment and the profile file.

    Raises
    ------
    ConfigInvalid
        A key is unknown or a value is out of range.

    Examples
    --------
    >>> load_settings(learn_min_samples=50).learn_min_samples
    50
    """
    try:
        return Settings(**_by_alias(overrides))
    except SettingsError as error:
        raise ConfigInvalid(
            "read the settings", found=str(error), next_step="write lists as JSON, e.g. '[\"bench_core_v1\"]'"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigInvalid(
            f"read the setting {name}",
            found=first["msg"]
            if name.upper().endswith(_SECRETS)
            else f"{first['msg']} (got {first.get('input')!r})",
            next_step=f"correct or remove {name.upper()}; docs/settings.md lists every key",
        ) from error
