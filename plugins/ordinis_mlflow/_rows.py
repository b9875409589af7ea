"""MLflow's rows of one model: each is read once in a change, and written through at once.

MLflow's own methods read a version again for every stage, tag and alias, and flush in between; that was more than half
of a transition. The statements here are built once, for the workspace that MLflow is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersion  # noqa: TID253  a leaf, loaded by name
from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL  # noqa: TID253
from mlflow.store.model_registry.dbmodels.models import (  # noqa: TID253
    SqlModelVersion,
    SqlModelVersionTag,
    SqlRegisteredModel,
    SqlRegisteredModelAlias,
)
from mlflow.utils.time import get_current_time_millis  # noqa: TID253
from mlflow.utils.validation import _validate_model_version, _validate_model_version_tag  # noqa: TID253
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

__all__ = ["ModelRows"]

_TABLES: Final = SqlModelVersion.metadata.tables
_VERSIONS: Final = _TABLES[SqlModelVersion.__tablename__]
_TAGS: Final = _TABLES[SqlModelVersionTag.__tablename__]
_ALIASES: Final = _TABLES[SqlRegisteredModelAlias.__tablename__]
_MODELS: Final = _TABLES[SqlRegisteredModel.__tablename__]


def _of_model(table: sa.Table) -> sa.ColumnElement[bool]:
    here: sa.ColumnElement[bool] = table.c.workspace == sa.bindparam("of_workspace")
    return here & (table.c.name == sa.bindparam("of_name"))


def _of_version(table: sa.Table) -> sa.ColumnElement[bool]:
    return _of_model(table) & (table.c.version == sa.bindparam("of_version"))


_STANDING: Final = _VERSIONS.c.current_stage != STAGE_DELETED_INTERNAL
_READ_VERSION: Final = sa.select(_VERSIONS).where(_of_version(_VERSIONS), _STANDING)
_READ_TAGS: Final = sa.select(_TAGS.c.key, _TAGS.c.value).where(_of_version(_TAGS))
_READ_ALIASES: Final = sa.select(_ALIASES.c.alias, _ALIASES.c.version).where(_of_model(_ALIASES))
_READ_STAGE: Final = (
    sa.select(_VERSIONS.c.version)
    .where(_of_model(_VERSIONS), _VERSIONS.c.current_stage == sa.bindparam("of_stage"))
    .order_by(_VERSIONS.c.version)
)
_READ_HIGHEST: Final = sa.select(sa.func.max(_VERSIONS.c.version)).where(_of_model(_VERSIONS))
_INSERT_VERSION: Final = sa.insert(_VERSIONS)
_INSERT_TAGS: Final = sa.insert(_TAGS)
_WRITE_VERSION: Final = (
    sa.update(_VERSIONS)
    .where(_of_version(_VERSIONS), _STANDING)
    .values(current_stage=sa.bindparam("stage"), last_updated_time=sa.bindparam("at_ms"))
)
_TOUCH_MODEL: Final = (
    sa.update(_MODELS).where(_of_model(_MODELS)).values(last_updated_time=sa.bindparam("at_ms"))
)
_DELETE_ALIAS: Final = sa.delete(_ALIASES).where(
    _of_model(_ALIASES), _ALIASES.c.alias == sa.bindparam("of_alias")
)


@cache
def _upsert(dialect: str, table: sa.Table, column: str) -> sa.Executable:
    """Return the statement that inserts a row, or sets its one column that is no key."""
    of_dialect: Any = postgresql if dialect == "postgresql" else sqlite
    insert = of_dialect.insert(table)
    statement: sa.Executable = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_={column: insert.excluded[column]}
    )
    return statement


class ModelRows:
    """The versions, tags and aliases of one registered model, within one transaction.

    Parameters
    ----------
    session : Session
        The open transaction.
    plain : SqlAlchemyStore
        MLflow's own methods; they raise its errors where there is no such version.
    name : str
        The registered model.
    """

    def __init__(self, session: Session, *, plain: Any, name: str) -> None:
        self._session = session
        self._plain = plain
        self._name = name
        self._workspace: str = plain._get_active_workspace()  # noqa: SLF001
        self._model = {"of_workspace": self._workspace, "of_name": name}
        self._versions: dict[str, dict[str, Any]] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._aliases: dict[str, str] | None = None
        self._touched = False

    def version(self, version: str) -> Mapping[str, Any]:
        """Return the columns of a version; MLflow's error when there is none."""
        if version not in self._versions:
            found = self._session.execute(_READ_VERSION, self._place(version)).mappings().one_or_none()
            if found is None:
                self._refuse(version)
            else:
                self._versions[version] = dict(found)
        return self._versions[version]

    def tags(self, version: str) -> dict[str, str]:
        """Return all tags of a version."""
        self.version(version)
        if version not in self._tags:
            self._tags[version] = dict(map(tuple, self._session.execute(_READ_TAGS, self._place(version))))
        return dict(self._tags[version])

    def aliases(self) -> dict[str, str]:
        """Return where each alias of the model points."""
        if self._aliases is None:
            found = self._session.execute(_READ_ALIASES, self._model)
            self._aliases = {alias: str(version) for alias, version in found}
        return dict(self._aliases)

    def versions_in(self, stage: str) -> list[str]:
        """Return the versions in one of MLflow's stages, in order of number."""
        found = self._session.scalars(_READ_STAGE, {**self._model, "of_stage": stage})
        return [str(version) for version in found]

    def create(self, *, tags: Mapping[str, str], **columns: Any) -> str:
        """Add the next version and return its number; MLflow's error when there is no such model.

        MLflow's method reads the highest number before it holds anything, and where somebody else took the next one it
        rolls the transaction back and tries again, which would let go of the chain's head. Here the model's row
        is written first, and whoever adds a version waits for it.
        """
        for key, value in tags.items():
            _validate_model_version_tag(key, value)
        at_ms = get_current_time_millis()
        if not self._session.connection().execute(_TOUCH_MODEL, {**self._model, "at_ms": at_ms}).rowcount:
            self._plain._get_registered_model(self._session, self._name)  # noqa: SLF001  raises MLflow's error
        number = (self._session.scalar(_READ_HIGHEST, self._model) or 0) + 1
        row = {"workspace": self._workspace, "name": self._name, "version": number}
        times = {"creation_time": at_ms, "last_updated_time": at_ms}
        self._session.execute(_INSERT_VERSION, {**row, **times, **columns})
        self._session.execute(_INSERT_TAGS, [{**row, "key": key, "value": tags[key]} for key in tags])
        self._tags[str(number)] = dict(tags)
        return str(number)

    def set_stage(self, version: str, stage: str, *, at_ms: int) -> None:
        """Move a version; MLflow's error when there is none."""
        values = {**self._place(version), "stage": stage, "at_ms": at_ms}
        if not self._session.connection().execute(_WRITE_VERSION, values).rowcount:
            self._refuse(version)
        if not self._touched:
            self._session.execute(_TOUCH_MODEL, {**self._model, "at_ms": at_ms})
            self._touched = True
        if version in self._versions:
            self._versions[version].update(current_stage=stage, last_updated_time=at_ms)

    def set_tag(self, version: str, key: str, value: str) -> None:
        """Write a tag of a version."""
        _validate_model_version_tag(key, value)
        row = {"name": self._name, "version": _validate_model_version(version), "key": key, "value": value}
        self._write(_TAGS, "value", row)
        if version in self._tags:
            self._tags[version][key] = value

    def set_alias(self, alias: str, version: str | None) -> None:
        """Let an alias point at a version, or at nothing; nothing is written where it does already."""
        if self.aliases().get(alias) == version:
            return
        standing = self._aliases or {}
        if version is None:
            self._session.execute(_DELETE_ALIAS, {**self._model, "of_alias": alias})
            del standing[alias]
        else:
            self._write(_ALIASES, "version", {"name": self._name, "alias": alias, "version": int(version)})
            standing[alias] = version

    def entity(self, version: str) -> ModelVersion:
        """Return a version as MLflow's clients see it, with what was written here."""
        tags = [SqlModelVersionTag(key=key, value=value) for key, value in self.tags(version).items()]
        row = SqlModelVersion(**self.version(version), model_version_tags=tags)
        found: ModelVersion = row.to_mlflow_entity()
        found.aliases = [alias for alias, at in self.aliases().items() if at == version]
        return found

    def _place(self, version: str) -> dict[str, Any]:
        return {**self._model, "of_version": _validate_model_version(version)}

    def _write(self, table: sa.Table, column: str, row: Mapping[str, Any]) -> None:
        statement = _upsert(self._session.get_bind().dialect.name, table, column)
        self._session.execute(statement, {"workspace": self._workspace, **row})

    def _refuse(self, version: str) -> None:
        self._plain._get_sql_model_version(self._session, self._name, version)  # noqa: SLF001  raises MLflow's error
        raise KeyError(version)
