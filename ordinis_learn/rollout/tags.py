"""The governed tag names: where signed statements hang on a model version.

Every key that folds into the namespace ``ordinis.`` is governed, however it is written. The keys
that carry statements are exact: ``ordinis.evidence.training``, ``ordinis.evidence.shadow``,
``ordinis.evidence.scorecard.<pack_id>``, ``ordinis.approval.<identity>`` and
``ordinis.waiver.<rule>.<identity>``.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.rollout.lookalikes import skeleton
from ordinis_learn.rollout.names import fold_name

__all__ = [
    "GROUP",
    "IDENTITY_NAME",
    "LIFT_TAG",
    "NAMESPACE",
    "RULE_NAME",
    "SHADOW_TAG",
    "TRAINING_TAG",
    "StatementKind",
    "approval_tag",
    "check_identity_name",
    "is_governed_tag",
    "is_statement_tag",
    "kind_of",
    "named_in",
    "scorecard_tag",
    "waiver_tag",
]

StatementKind = Literal["training", "scorecard", "shadow", "approval", "waiver", "lift"]

NAMESPACE: Final = "ordinis."
TRAINING_TAG: Final = "ordinis.evidence.training"
SHADOW_TAG: Final = "ordinis.evidence.shadow"
LIFT_TAG: Final = "ordinis.request.lift_cool_down"
"""Set on the version that was rolled back, to a signed lift; the ledger keeps it, the tag is never stored."""

_SCORECARD_PREFIX: Final = "ordinis.evidence.scorecard."
_APPROVAL_PREFIX: Final = "ordinis.approval."
_WAIVER_PREFIX: Final = "ordinis.waiver."
_CHANNELS: Final = ("ordinis.evidence", "ordinis.approval", "ordinis.waiver")

IDENTITY_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
"""Lower case, so that a name is one file on every file system and one tag in every store."""

GROUP: Final = r"^[a-z][a-z0-9_]{0,62}$"
"""How a group of approvers is written."""

RULE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}(:[A-Za-z0-9_.-]{1,64})?", re.ASCII)
"""A rule of the policy language, with the metric it is about where it may be given several times."""

_PACK_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def scorecard_tag(pack_id: str) -> str:
    """Return the tag of the scorecard on one pack.

    Examples
    --------
    >>> scorecard_tag("bench_core_v1")
    'ordinis.evidence.scorecard.bench_core_v1'
    """
    if not _PACK_ID.fullmatch(pack_id):
        raise ConfigInvalid(
            "name the scorecard's tag",
            found=f"pack id {pack_id!r}",
            next_step="use letters, digits, '.', '_' and '-', at most 128",
        )
    return _SCORECARD_PREFIX + pack_id


def approval_tag(identity: str) -> str:
    """Return the tag of one identity's answer; a later answer of the same identity replaces it.

    Examples
    --------
    >>> approval_tag("model-risk")
    'ordinis.approval.model-risk'
    """
    return _APPROVAL_PREFIX + check_identity_name(identity)


def waiver_tag(rule: str, identity: str) -> str:
    """Return the tag of one identity's waiver of one rule.

    Examples
    --------
    >>> waiver_tag("delta_sharpe", "model-risk")
    'ordinis.waiver.delta_sharpe.model-risk'
    """
    if not RULE_NAME.fullmatch(rule):
        raise ConfigInvalid(
            f"waive the rule {rule!r}",
            found="no rule has such a name",
            next_step="copy the rule's name from the refusal, or write break_glass for all that can be waived",
        )
    return f"{_WAIVER_PREFIX}{rule}.{check_identity_name(identity)}"


def check_identity_name(name: str) -> str:
    """Return the name of an identity unchanged, or refuse it.

    Raises
    ------
    ConfigInvalid
        The name is not lower-case letters, digits, ``.``, ``_`` and ``-``, at most 63, starting with
        a letter or digit.
    """
    if not IDENTITY_NAME.fullmatch(name):
        raise ConfigInvalid(
            "name an identity",
            found=f"{name!r}",
            next_step="use lower-case letters, digits, '.', '_' and '-', starting with a letter or digit, at most 63",
        )
    return name


def is_governed_tag(key: str | None) -> bool:
    """Tell whether a tag key lies in the governed namespace, or looks as if; no key does not.

    Examples
    --------
    >>> is_governed_tag("Ordinis.Evidence.Training"), is_governed_tag("team")
    (True, False)
    """
    return key is not None and (fold_name(key).startswith(NAMESPACE) or skeleton(key).startswith(NAMESPACE))


def is_statement_tag(key: str) -> bool:
    """Tell whether a key belongs where statements hang, in any case or width, well-formed or not."""
    return fold_name(key).startswith(_CHANNELS)


def kind_of(key: str) -> StatementKind | None:
    """Return what a key carries; None for every other key, also for one that only resembles ours.

    Examples
    --------
    >>> kind_of("ordinis.evidence.shadow"), kind_of("Ordinis.evidence.shadow")
    ('shadow', None)
    """
    if key == TRAINING_TAG:
        return "training"
    if key == SHADOW_TAG:
        return "shadow"
    if key.startswith(_SCORECARD_PREFIX) and _PACK_ID.fullmatch(key.removeprefix(_SCORECARD_PREFIX)):
        return "scorecard"
    if key.startswith(_APPROVAL_PREFIX) and IDENTITY_NAME.fullmatch(key.removeprefix(_APPROVAL_PREFIX)):
        return "approval"
    if key.startswith(_WAIVER_PREFIX) and "." in key.removeprefix(_WAIVER_PREFIX):
        return "waiver"
    return None


def named_in(key: str) -> str:
    """Return the pack, identity, or rule and identity that a key names; empty for other keys.

    Examples
    --------
    >>> named_in("ordinis.approval.model-risk"), named_in("ordinis.evidence.shadow")
    ('model-risk', '')
    """
    for prefix in (_SCORECARD_PREFIX, _APPROVAL_PREFIX, _WAIVER_PREFIX):
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return ""
