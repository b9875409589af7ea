"""The part of the registry port that is about keeping bytes, through the same client as everything else."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ordinis_learn.records import AuditRecord, Retention
from ordinis_learn.rollout.retention import VersionFacts, retained
from ordinis_mlflow._artifacts import ArtifactReader
from ordinis_mlflow._retention import HOLD_REQUEST, PRUNE_REQUEST, RELEASE_REQUEST
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.retention import facts, pruned

__all__ = ["RetentionClient"]


class RetentionClient:
    """Asks the store to prune, hold and release; mixed into the registry adapter, which has what it needs."""

    _client: Any
    _database: GovernanceDatabase
    _artifacts: ArtifactReader

    def _asked(self, asked: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def retired(self, *, keep: int) -> Sequence[Retention]:
        """Return every retired version whose bytes are there, newest first, and why they stay or go.

        Where the bytes lie out of this process's sight, a version counts as there until it is pruned.
        """
        with self._asked("say which retired versions are kept"), self._database.reading() as session:
            if not sa.inspect(session.connection()).has_table("model_versions"):
                return []  # nobody has opened a registry here yet
            known = facts(session, folder=self._artifacts.folder_of)
            gone = {
                (one.name, one.version)
                for one in known
                if not _there(one, recorded=pruned(session, one.name, one.version) is not None)
            }
        return [one for one in retained(known, keep=keep) if (one.name, one.version) not in gone]

    def prune(self, name: str, version: str) -> AuditRecord | None:
        """Record that a version's bytes go, and remove them; return the record.

        None where nothing of them was left, and no record either.
        """
        with self._asked(f"prune {name} {version}"):
            self._client.set_model_version_tag(name, version, PRUNE_REQUEST, "now")
        with self._database.reading() as session:
            return pruned(session, name, version)

    def hold(self, name: str, version: str, *, reason: str) -> None:
        """Place a legal hold: the version's bytes stay until it is released."""
        with self._asked(f"hold {name} {version}"):
            self._client.set_model_version_tag(name, version, HOLD_REQUEST, reason)

    def release(self, name: str, version: str, *, reason: str) -> None:
        """Release a legal hold; ConfigInvalid where there is none."""
        with self._asked(f"release {name} {version}"):
            self._client.set_model_version_tag(name, version, RELEASE_REQUEST, reason)


def _there(one: VersionFacts, *, recorded: bool) -> bool:
    near = len(one.place) > 1  # the parts of a path; an address elsewhere is one part
    return Path(*one.place).exists() if near else not recorded
