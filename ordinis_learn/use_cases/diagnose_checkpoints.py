"""Say whether the ledger's checkpoints keep up, from what lies on disk; nothing is opened for writing."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any, Final

from ordinis_learn.errors import LearnError
from ordinis_learn.rollout.keyring_keys import open_key_store
from ordinis_learn.settings import Settings
from ordinis_learn.workbench import WITNESS_IDENTITY

__all__ = ["checkpoint_trouble"]

_QUERY: Final = """SELECT hashed_text FROM governance_ledger
    WHERE subject = '*' AND action = 'checkpoint.failed' ORDER BY sequence DESC LIMIT 1"""


def checkpoint_trouble(settings: Settings) -> tuple[str, str]:
    """Return what is wrong and what to type; two empty texts where nothing is.

    A failure counts until the default file has a newer line; at other targets it is shown as the last one.
    """
    if not settings.database_path.exists():
        return "", ""
    try:
        witnessed = open_key_store(settings).exists(WITNESS_IDENTITY)
    except LearnError as error:
        return error.found, error.next_step
    if not witnessed:
        return "no witness: no checkpoints are written after promotions", "ordinis-learn ledger checkpoint"
    failure = _last_failure(settings)
    if failure is None or failure["at"] <= _newest_line(settings):
        return "", ""
    body = failure["body"]
    return f"none could be written at {failure['at']}: {body['found']}", str(body["next_step"])


def _last_failure(settings: Settings) -> Any:
    try:
        with closing(sqlite3.connect(f"file:{settings.database_path}?mode=ro", uri=True)) as connection:
            row = connection.execute(_QUERY).fetchone()
    except sqlite3.Error:
        return None  # the finding on the database itself says why
    return None if row is None else json.loads(row[0])


def _newest_line(settings: Settings) -> str:
    if settings.ledger_checkpoint_target != "file" or not settings.checkpoints_path.exists():
        return ""
    lines = settings.checkpoints_path.read_bytes().splitlines()
    try:
        return str(json.loads(lines[-1])["at"]) if lines else ""
    except (ValueError, KeyError, TypeError):
        return ""
