"""Say whether the ledger's checkpoints keep up."""

from __future__ import annotations

import json
from datetime import datetime

from ordinis_learn.errors import LearnError
from ordinis_learn.rollout.keyring_keys import open_key_store
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.diagnose_registry import RegistryLook
from ordinis_learn.workbench import WITNESS_IDENTITY

__all__ = ["checkpoint_trouble"]


def checkpoint_trouble(settings: Settings, look: RegistryLook) -> tuple[str, str]:
    """Return what is wrong and what to type; two empty texts where nothing is.

    A failure counts until the default file has a newer line; at other targets it is shown as the last one.
    """
    if not look.in_use:
        return "", ""
    try:
        witnessed = open_key_store(settings).exists(WITNESS_IDENTITY)
    except LearnError as error:
        return error.found, error.next_step
    if not witnessed:
        return "no witness: no checkpoints are written after promotions", "ordinis-learn ledger checkpoint"
    failure, newest = look.checkpoint_failure, _newest_line(settings)
    if failure is None or (newest is not None and failure.at <= newest):
        return "", ""
    found = f"none could be written at {failure.at:%Y-%m-%d %H:%M:%S}Z: {failure.body['found']}"
    return found, str(failure.body["next_step"])


def _newest_line(settings: Settings) -> datetime | None:
    if settings.ledger_checkpoint_target != "file" or not settings.checkpoints_path.exists():
        return None
    lines = settings.checkpoints_path.read_bytes().splitlines()
    try:
        return datetime.fromisoformat(json.loads(lines[-1])["at"]) if lines else None
    except (ValueError, KeyError, TypeError):
        return None
