"""Which reads a replica may answer.

A replica lags behind. Pages of a search may be a moment old, and so may anything about a model that is not governed: there
MLflow's own routing stands. What says of a governed model, by its name, which version is active, where its bytes lie or what
was said about it is read from the primary, and so is everything that a decision looks at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ordinis_mlflow._transactions import Transactions

__all__ = ["ReplicaReadsMixin"]


class ReplicaReadsMixin:
    """Route reads; put it before the governed store class, whose own look-ups do not pass through here."""

    read_engine: Any
    _transactions: Transactions
    _governs: Callable[[str], bool]

    def search_registered_models(self, *arguments: Any, **named: Any) -> Any:
        """Search, where a replica is there on the replica."""
        with self._transactions.reading(may_lag=True):
            return super().search_registered_models(*arguments, **named)  # type: ignore[misc]

    def search_model_versions(self, *arguments: Any, **named: Any) -> Any:
        """Search, where a replica is there on the replica."""
        with self._transactions.reading(may_lag=True):
            return super().search_model_versions(*arguments, **named)  # type: ignore[misc]

    def get_registered_model(self, name: str) -> Any:
        """Return a model with its aliases; a governed one as the primary has it."""
        return self._look_up("get_registered_model", name)

    def get_latest_versions(self, name: str, stages: Any = None) -> Any:
        """Return the newest version per stage; of a governed model as the primary has it."""
        return self._look_up("get_latest_versions", name, stages)

    def get_model_version(self, name: str, version: str) -> Any:
        """Return a version with its tags; of a governed model as the primary has it."""
        return self._look_up("get_model_version", name, version)

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        """Return the version an alias names; of a governed model as the primary has it."""
        return self._look_up("get_model_version_by_alias", name, alias)

    def get_model_version_download_uri(self, name: str, version: str) -> Any:
        """Return where a version's bytes lie; of a governed model as the primary has it."""
        return self._look_up("get_model_version_download_uri", name, version)

    def _look_up(self, method: str, name: str, *arguments: Any) -> Any:
        found = getattr(super(), method)
        if self.read_engine is None:
            return found(name, *arguments)
        with self._transactions.reading(may_lag=not self._governs(name)):
            return found(name, *arguments)
