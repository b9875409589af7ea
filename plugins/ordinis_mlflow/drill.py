"""Rehearse rollbacks on a copy of the registry. The registry itself is only read."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from ordinis_learn.errors import LearnError
from ordinis_learn.ports import Clock
from ordinis_learn.records import Drill
from ordinis_learn.settings import Settings
from ordinis_mlflow.drill_folders import abandoned_folders, drill_folder, remove_abandoned
from ordinis_registry import ledger
from ordinis_registry.copying import registry_copy
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.drill_databases import abandoned_databases, drop_abandoned

__all__ = ["RegistryRehearsal"]


class RegistryRehearsal:
    """The adapter of :class:`ordinis_learn.ports.Rehearsal`.

    The copy is opened by the same store class as the registry, so the rehearsed code is the code that would run: it
    re-verifies the artifacts where they lie. It has a home of its own, with the policies but without keys: no checkpoint of the
    copy reaches the place where those of the registry are.

    Parameters
    ----------
    registry_uri : str
        ``ordinis+sqlite:///…`` or ``ordinis+postgresql://…``.
    tracking_uri : str
        Where the logged models behind the versions are.
    settings : Settings
    clock : Clock
    seconds : callable
        A stopwatch.
    """

    def __init__(
        self,
        registry_uri: str,
        *,
        tracking_uri: str,
        settings: Settings,
        clock: Clock,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = registry_uri.removeprefix("ordinis+")
        self._tracking_uri = tracking_uri
        self._settings = settings
        self._clock = clock
        self._seconds = seconds

    def __call__(self, names: Sequence[str]) -> Sequence[Drill]:
        """Copy, roll each model back there, and throw the copy away, with what killed drills left."""
        self.tidy_up()
        with drill_folder() as home:
            policies = self._settings.home / "policies"
            if policies.is_dir():
                shutil.copytree(policies, home / "policies")
            with registry_copy(self._url, folder=home) as url, self._opened(url, home=home) as store:
                return [self._rehearse(store, name, url=url) for name in names]

    def tidy_up(self) -> list[str]:
        """Remove what drills left whose processes are dead; return which folders and databases."""
        gone = [str(folder) for folder in remove_abandoned()]
        if self._is_on_a_server():
            with suppress(SQLAlchemyError):  # that no copy can be made is said by the copying
                gone += drop_abandoned(self._url)
        return gone

    def abandoned(self) -> list[str]:
        """Return what killed drills left, and databases of an earlier release that nobody uses; nothing is removed."""
        databases = abandoned_databases(self._url) if self._is_on_a_server() else []
        return [*(str(folder) for folder in abandoned_folders()), *databases]

    def _is_on_a_server(self) -> bool:
        return not self._url.startswith("sqlite:")

    @contextmanager
    def _opened(self, url: str, *, home: Path) -> Iterator[Any]:
        from ordinis_mlflow._store import store_class  # noqa: PLC0415  MLflow takes seconds to import

        settings = self._settings.model_copy(update={"home": home, "ledger_checkpoint_target": "file"})
        store = store_class()(url, settings=settings, clock=self._clock, tracking_uri=self._tracking_uri)
        try:
            yield store
        finally:
            store.engine.dispose()

    def _rehearse(self, store: Any, name: str, *, url: str) -> Drill:
        from mlflow.exceptions import MlflowException

        from ordinis_mlflow._workspaces import in_workspace_of  # noqa: PLC0415

        at, error = self._clock(), ""
        before = self._active(url, name)
        began = self._seconds()
        try:
            with in_workspace_of(name) as bare:
                store.roll_back(bare, reason="drill")
        except (MlflowException, LearnError) as refused:
            error = str(refused)
        took = self._seconds() - began
        return Drill(
            model=name,
            from_version=before,
            to_version=self._active(url, name),
            unfit=() if error else self._unfit(url, name),
            error=error,
            seconds=took,
            at=at,
        )

    def _active(self, url: str, name: str) -> str | None:
        with _reading(url) as session:
            pointers = ledger.pointers(session, name)
        return None if pointers is None else pointers.active

    def _unfit(self, url: str, name: str) -> tuple[str, ...]:
        with _reading(url) as session:
            records = [one for one in ledger.history(session, name) if one.action == "rolled_back"]
        unfit = records[-1].body["unfit"] if records else ()
        return tuple(f"v{one['version']}: {one['why']}" for one in unfit)


@contextmanager
def _reading(url: str) -> Iterator[Any]:
    database = GovernanceDatabase(url)
    try:
        with database.reading() as session:
            yield session
    finally:
        database.close()
