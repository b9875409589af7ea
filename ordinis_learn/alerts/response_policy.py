"""The response policy: what is done about an alert, by a versioned YAML file whose hash is in every act."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from ordinis_learn.errors import ConfigInvalid, PolicyMissing
from ordinis_learn.records import AlertKind, ModelType, Record, ResponseAction, Severity

__all__ = [
    "DEFAULT_RESPONSE_POLICY",
    "Persistence",
    "ResponsePolicy",
    "ResponseRule",
    "load_response_policy",
]

DEFAULT_RESPONSE_POLICY: Final = "response_v1"
_ID: Final = re.compile(r"response[a-z0-9_]{0,55}", re.ASCII)


class Persistence(Record):
    """A breach opens an alert once it was seen on ``k`` of the last ``n`` daily checks, today's among them."""

    k: int = Field(ge=1)
    n: int = Field(ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Persistence:
        if self.k > self.n:
            raise ValueError(f"k={self.k} of n={self.n} days can never be")
        return self


class Persistences(Record):
    """By severity."""

    warning: Persistence
    critical: Persistence


class Escalation(Record):
    """After so many repeats, or so many hours, without an acknowledgement."""

    after_repeats: int = Field(ge=1)
    after_hours: float = Field(gt=0)


class TrainingFailures(Record):
    """So many failed trainings of one model within so many hours are an alert."""

    count: int = Field(ge=1)
    within_hours: float = Field(gt=0)


class When(Record):
    """What a rule is about; a field that is left out matches everything."""

    kind: tuple[AlertKind, ...] | None = None
    severity: tuple[Severity, ...] | None = None
    metric: tuple[str, ...] | None = None
    model_type: tuple[ModelType, ...] | None = None


class ResponseRule(Record):
    """One rule; the first that matches says what is done, in this order."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    when: When
    do: tuple[ResponseAction, ...]

    @model_validator(mode="after")
    def _named_once(self) -> ResponseRule:
        if len(set(self.do)) < len(self.do):
            raise ValueError(f"rule {self.name!r} orders something twice")
        return self


class ResponsePolicy(Record):
    """A response policy. Equal hash means equal rules and numbers; what no rule matches is only told."""

    schema_version: Literal["1.0.0"]
    policy_id: Annotated[str, Field(pattern=r"^response[a-z0-9_]{0,55}$")]
    description: str = ""
    persistence: Persistences
    close_after_clean_checks: int = Field(ge=1)
    escalation: Escalation
    training_failures: TrainingFailures
    dead_man_hours: float = Field(gt=0)
    drill_every_days: float = Field(gt=0)
    cool_down_hours: float = Field(ge=0, le=24 * 90)
    rules: tuple[ResponseRule, ...] = ()

    @property
    def dead_man_grace(self) -> timedelta:
        """How long after its due time a daily check is missed: what ``dead_man_hours`` has beyond the 24 of a day."""
        return timedelta(hours=max(self.dead_man_hours - 24.0, 0.0))

    @cached_property
    def policy_hash(self) -> str:
        """The hash of the whole policy."""
        return self.content_hash()

    def rule_for(
        self, *, kind: AlertKind, severity: Severity, metric: str, model_type: ModelType | None
    ) -> ResponseRule | None:
        """Return the first rule that matches, None where the alert is only told.

        Examples
        --------
        >>> policy = load_response_policy()
        >>> about = {"kind": "drift", "model_type": ModelType.SIGNAL_MODEL}
        >>> policy.rule_for(metric="sharpe_decline", severity="critical", **about).do
        ('block_promotions', 'request_retrain')
        >>> policy.rule_for(metric="psi", severity="warning", **about) is None
        True
        """
        for rule in self.rules:
            when = rule.when
            asked: tuple[tuple[tuple[Any, ...] | None, Any], ...] = (
                (when.kind, kind),
                (when.severity, severity),
                (when.metric, metric),
                (when.model_type, model_type),
            )
            if all(allowed is None or found in allowed for allowed, found in asked):
                return rule
        return None


def load_response_policy(
    policy_id: str = DEFAULT_RESPONSE_POLICY, *, folder: Path | None = None
) -> ResponsePolicy:
    """Read a response policy.

    Parameters
    ----------
    policy_id : str
        Of the package (``response_v1``, ``response_rollback_v1``), or the stem of a file in ``folder``.
    folder : Path, optional
        ``ORDINIS_HOME/policies``.

    Raises
    ------
    PolicyMissing
        No policy has this name, or its file cannot be read.
    ConfigInvalid
        It does not say what it must.

    Examples
    --------
    >>> load_response_policy().dead_man_hours
    26.0
    """
    try:
        policy = ResponsePolicy.model_validate(yaml.safe_load(_read(policy_id, folder)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise _invalid(policy_id, f"{place}: {first['msg']}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _invalid(policy_id, f"not YAML: {error}") from error
    if policy.policy_id != policy_id:
        raise _invalid(policy_id, f"it calls itself {policy.policy_id!r}")
    return policy


def _read(policy_id: str, folder: Path | None) -> str:
    packaged = resources.files("ordinis_learn.alerts") / "policies" / f"{policy_id}.yaml"
    own = None if folder is None else folder / f"{policy_id}.yaml"
    if not _ID.fullmatch(policy_id):
        raise _missing(policy_id, "a response policy's id begins with 'response'")
    try:
        if packaged.is_file():
            if own is not None and own.exists():
                raise _invalid(policy_id, f"{own} would replace a policy of the package; give it another id")
            return packaged.read_text(encoding="utf-8")
        if own is None:
            raise _missing(policy_id, "the package has none of this name")
        return own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _missing(policy_id, f"{own}: {getattr(error, 'strerror', None) or error}") from error


def _missing(policy_id: str, found: str) -> PolicyMissing:
    return PolicyMissing(
        f"load the response policy {policy_id!r}",
        found=found,
        next_step=f"set LEARN_RESPONSE_POLICY={DEFAULT_RESPONSE_POLICY}, or write ORDINIS_HOME/policies/{policy_id}.yaml",
    )


def _invalid(policy_id: str, found: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"load the response policy {policy_id!r}",
        found=found,
        next_step="correct the file; until then drift is checked and nobody is alerted",
    )
