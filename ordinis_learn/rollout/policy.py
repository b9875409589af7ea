"""Policy as code: a YAML file read into a record whose hash every decision carries.

A policy names the models it governs, the packs they must be evaluated on, and for each move the rules
of :mod:`ordinis_learn.rollout.rules` with their parameters. A parameter may be ``{setting: NAME}``;
what is hashed is the resolved policy, so that a changed setting is a changed policy. A policy that
cannot be read, or that would let a model become ACTIVE unseen, is refused, and the gate stays closed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from ordinis_learn.errors import ConfigInvalid, PolicyMissing
from ordinis_learn.records import ModelType, Record, State, hash_of
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.rollout.waivers import WaiverRules
from ordinis_learn.settings import Settings

__all__ = [
    "ANY_TYPE",
    "DEFAULT_POLICY",
    "SETTINGS",
    "WITHOUT_PACKS",
    "Governed",
    "MoveRules",
    "Policy",
    "RuleSpec",
    "TypeRules",
    "governs",
    "load_policy",
    "packaged_policies",
    "seen_by_triggers",
]

DEFAULT_POLICY: Final = "gov_v3"
ANY_TYPE: Final = "any"
"""The key of the rules for every type of model that a policy has no rules of its own for."""

_PATTERN: Final = re.compile(r"(?:[ -Z^-~]|\[!?(?:[A-Za-z0-9_](?:-[A-Za-z0-9_])?)+\])+")
_POLICY_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
WITHOUT_PACKS: Final = frozenset(
    [
        "approvals",
        "artifact_intact",
        "dataset_accepted",
        "dataset_checked",
        "evidence_verified",
        "no_drift_breach",
        "requester_kind",
        "run_metric",
        "shadow_after_training",
        "shadow_agreement",
        "shadow_answers_not_inferior",
        "shadow_decisions",
        "shadow_duration",
        "shadow_error_rate",
        "shadow_not_inferior",
        "shadow_parity",
    ]
)
"""The rules that read no scorecard; a policy of these alone names no pack."""
_ALWAYS: Final = frozenset({"artifact_intact", "evidence_verified"})
SETTINGS: Final = frozenset(name for name in Settings.model_fields if name.startswith(("learn_", "bench_")))


class RuleSpec(Record):
    """One rule of a policy with its resolved parameters, defaults filled in."""

    rule: str
    params: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> RuleSpec:
        if self.rule not in RULES:
            raise ValueError(f"unknown rule {self.rule!r}; known are {', '.join(sorted(RULES))}")
        RULES[self.rule].params.model_validate(self.params)
        return self


class MoveRules(Record):
    """The rules of one move; ``first_model`` where nothing is ACTIVE."""

    default: Annotated[tuple[RuleSpec, ...], Field(min_length=1)]
    first_model: Annotated[tuple[RuleSpec, ...], Field(min_length=1)]

    @field_validator("default", "first_model")
    @classmethod
    def _named_once(cls, specs: tuple[RuleSpec, ...]) -> tuple[RuleSpec, ...]:
        names = [RULES[spec.rule].label(spec.params) for spec in specs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        if absent := sorted(_ALWAYS - set(names)):
            raise ValueError(f"a policy cannot do without {' and '.join(absent)}: add it to these rules")
        return specs


class TypeRules(Record):
    """The rules of one model type; ``packs`` in place of the policy's, where it is judged on others."""

    packs: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] | None = None
    shadow: MoveRules
    active: MoveRules

    @field_validator("active")
    @classmethod
    def _approved(cls, moves: MoveRules) -> MoveRules:
        for specs in (moves.default, moves.first_model):
            if sum(int(spec.params.get("count", 0)) for spec in specs if spec.rule == "approvals") < 1:
                raise ValueError(
                    "no model becomes ACTIVE without an approval: approvals needs a count of 1 or more"
                )
        return moves


class Governed(Record):
    """Which models a policy is about; names are shell patterns, compared without case."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    model_types: Annotated[tuple[ModelType, ...], Field(min_length=1)] = tuple(ModelType)

    @field_validator("names")
    @classmethod
    def _read_alike(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what the databases, whose triggers guard the same names, would read as another pattern."""
        for name in names:
            ranges = re.findall(r"(?=(.)-(.))", "".join(re.findall(r"\[(.*?)\]", fold_name(name))))
            if not _PATTERN.fullmatch(name) or any(first > last for first, last in ranges):
                raise ValueError(
                    f"{name!r} is not read alike everywhere: write ASCII letters with *, ?, [abc], [a-c] or [!abc], "
                    "and inside brackets letters, digits and _"
                )
        return names


class Policy(Record):
    """A resolved policy. Equal hash means equal rules, packs and numbers.

    ``packs`` may be left out where no rule reads a scorecard; with one that does, a policy without packs is refused.
    ``source_sha256`` is the hash of the file's content before settings are filled in: once a decision has used a
    policy id, only a file with the same content may go by it.
    """

    schema_version: Literal["1.0.0"]
    policy_id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    description: str = ""
    governs: Governed
    packs: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    rules: Annotated[dict[ModelType | Literal["any"], TypeRules], Field(min_length=1)]
    waivers: WaiverRules | None = None
    source_sha256: str = ""

    @model_validator(mode="after")
    def _packs_where_needed(self) -> Policy:
        for key, of_type in self.rules.items():
            moves = (of_type.shadow, of_type.active)
            used = {spec.rule for move in moves for spec in (*move.default, *move.first_model)}
            if needy := sorted(used - WITHOUT_PACKS if not (of_type.packs or self.packs) else ()):
                raise ValueError(
                    f"packs: {', '.join(needy)} of {key} read scorecards; name the packs they are of"
                )
        return self

    @cached_property
    def policy_hash(self) -> str:
        """The hash of the whole resolved policy."""
        return self.content_hash()

    def packs_of(self, model_type: ModelType) -> tuple[str, ...]:
        """Return the packs that a type's scorecards must be of."""
        of_type = self._rules_of(model_type)
        return self.packs if of_type is None or of_type.packs is None else of_type.packs

    def specs(self, model_type: ModelType, *, to_state: State, first_model: bool) -> tuple[RuleSpec, ...]:
        """Return the rules of a move; empty where the policy has none for the type or the move."""
        of_type = self._rules_of(model_type)
        moves = {State.SHADOW: of_type.shadow, State.ACTIVE: of_type.active} if of_type else {}
        move = moves.get(to_state)
        if move is None:
            return ()
        return move.first_model if first_model else move.default

    def _rules_of(self, model_type: ModelType) -> TypeRules | None:
        return self.rules.get(model_type, self.rules.get(ANY_TYPE))


class _Loader(yaml.SafeLoader):
    """YAML's safe subset that refuses a key given twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  the signature of yaml
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


def load_policy(policy_id: str = DEFAULT_POLICY, *, settings: Settings, folder: Path | None = None) -> Policy:
    """Read a policy and resolve its settings.

    Parameters
    ----------
    policy_id : str
        Of the package (``gov_v1`` to ``gov_v3``), or the stem of a file in ``folder``. A file cannot replace a policy
        of the package.
    settings : Settings
        Where ``{setting: NAME}`` is looked up.
    folder : Path, optional
        Default ``ORDINIS_HOME/policies``.

    Raises
    ------
    PolicyMissing
        No policy has this name, or its file cannot be read.
    ConfigInvalid
        The policy does not say what it must, names an unknown rule, parameter or setting, or would
        let a model become ACTIVE without an approval.
    """
    folder = settings.home / "policies" if folder is None else folder
    document = _parse(policy_id, _read(policy_id, folder))
    try:
        resolved = _resolve(document, settings=settings)
        if isinstance(resolved, dict) and isinstance(resolved.get("rules"), dict):
            resolved["rules"] = {name: _expand(moves) for name, moves in resolved["rules"].items()}
        if isinstance(resolved, dict):
            resolved["source_sha256"] = hash_of(document, domain="ordinis.policy_source.v1")
        policy = Policy.model_validate(resolved)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise _invalid(policy_id, f"{place}: {first['msg']}") from error
    except (LookupError, ValueError, TypeError) as error:
        raise _invalid(policy_id, str(error)) from error
    if policy.policy_id != policy_id:
        raise _invalid(policy_id, f"it calls itself {policy.policy_id!r}")
    return policy


def packaged_policies() -> tuple[str, ...]:
    """Return the ids of the policies that come with the package, in order.

    Examples
    --------
    >>> packaged_policies()
    ('gov_v1', 'gov_v2', 'gov_v3')
    """
    folder = resources.files("ordinis_learn.rollout") / "policies"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir()))


def governs(policy: Policy, name: str, model_type: ModelType | str | None = None) -> bool:
    """Tell whether a model is under the policy; one of unknown type is, when its name is.

    Examples
    --------
    >>> from ordinis_learn.settings import load_settings
    >>> governs(load_policy(settings=load_settings()), "sp500_signal", "signal_model")
    True
    """
    folded = fold_name(name)
    if not any(fnmatchcase(folded, fold_name(pattern)) for pattern in policy.governs.names):
        return False
    return model_type is None or model_type in set(policy.governs.model_types)


def seen_by_triggers(name: str, patterns: Sequence[str]) -> bool:
    """Tell whether a database, which compares without case and folds nothing else, finds a name among patterns.

    Examples
    --------
    >>> seen_by_triggers("SP500_x", ["sp500_*"]), seen_by_triggers("Ｓp500_x", ["sp500_*"])
    (True, False)
    """
    lowered = re.sub("[A-Z]+", lambda found: found[0].lower(), name)
    return any(fnmatchcase(lowered, pattern.strip().lower()) for pattern in patterns)


def _read(policy_id: str, folder: Path) -> str:
    if not _POLICY_ID.fullmatch(policy_id):
        raise PolicyMissing(
            f"load the policy {policy_id!r}",
            found="that is not a policy id",
            next_step=f"use lower-case letters, digits and '_', as in {DEFAULT_POLICY}",
        )
    packaged = resources.files("ordinis_learn.rollout") / "policies" / f"{policy_id}.yaml"
    own = folder / f"{policy_id}.yaml"
    try:
        if packaged.is_file():
            if own.exists():
                raise _invalid(policy_id, f"{own} would replace a policy of the package; give it another id")
            return packaged.read_text(encoding="utf-8")
        return own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyMissing(
            f"load the policy {policy_id!r}",
            found=f"{own}: {getattr(error, 'strerror', None) or error}",
            next_step=f"write {own}, or use {DEFAULT_POLICY}; until then nothing is promoted",
        ) from error


def _parse(policy_id: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _invalid(policy_id, f"not YAML: {error}") from error


def _resolve(value: Any, *, settings: Settings) -> Any:
    """Replace every ``{setting: NAME}`` by the setting's value."""
    if isinstance(value, dict):
        if "setting" in value:
            return _setting(value, settings=settings)
        return {key: _resolve(item, settings=settings) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, settings=settings) for item in value]
    return value


def _setting(reference: dict[str, Any], *, settings: Settings) -> Any:
    name = reference["setting"]
    if len(reference) != 1 or name not in SETTINGS:
        raise ValueError(f"{reference!r} names no setting; known are {', '.join(sorted(SETTINGS))}")
    value = getattr(settings, name)
    return list(value) if isinstance(value, tuple) else value


def _expand(moves: Any) -> Any:
    """Turn ``- rule`` and ``- rule: {…}`` into rule records, with the defaults of their parameters."""
    if not isinstance(moves, dict):
        return moves
    own = {"packs": moves["packs"]} if "packs" in moves else {}
    return own | {
        move: {which: [_spec(item) for item in specs] for which, specs in sets.items()}
        for move, sets in moves.items()
        if move != "packs" and (isinstance(sets, dict) or _refuse(move, sets))
    }


def _spec(item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise ValueError(f"{item!r} is not 'rule' or 'rule: {{parameter: value}}'")
    ((name, params),) = item.items()
    if name not in RULES:
        raise ValueError(f"unknown rule {name!r}; known are {', '.join(sorted(RULES))}")
    return {"rule": name, "params": RULES[name].params.model_validate(params).model_dump(mode="json")}


def _refuse(move: Any, sets: Any) -> bool:
    raise ValueError(f"{move!r} holds {sets!r}, not rule sets")


def _invalid(policy_id: str, found: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"load the policy {policy_id!r}",
        found=found,
        next_step="correct the file; until then nothing is promoted",
    )
