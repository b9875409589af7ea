"""Carry the catalogue and alerts of a home's own file over to the database in which its registry decides.

Until the catalogue stood beside the registry, a home whose registry was elsewhere kept datasets, artifacts, drift checks and
alerts in a file of its own. What is carried is copied: the file stays as it is, its ledger is an archive and is not merged, because
two hash chains cannot become one.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import Actor, Alert, DriftAlert, DriftReport, canonical_json
from ordinis_registry import ledger
from ordinis_registry.copying import copy_file
from ordinis_registry.database import GovernanceDatabase
from ordinis_registry.looking import opened_to_look
from ordinis_registry.models import (
    AlertFactRow,
    AlertRow,
    ArtifactRow,
    AttemptRow,
    Base,
    BenchPackRow,
    DatasetRow,
    DeliveryRow,
    DriftAlertRow,
    DriftReportRow,
    HeartbeatRow,
    OutboxRow,
    ResponseRow,
    ScorecardRow,
    SegmentRow,
    TraceRow,
)

__all__ = ["CARRIED_OVER", "carry_over", "rows_of"]

CARRIED_OVER: Final = "catalogue.carried_over"
_SAYS_SOMETHING: Final[tuple[type[Base], ...]] = (
    ArtifactRow,
    DatasetRow,
    BenchPackRow,
    ScorecardRow,
    DriftReportRow,
    AlertRow,
)
"""A file with rows of these was a catalogue in use."""
_THE_SAME: Final[dict[type[Base], str]] = {
    ArtifactRow: "artifact_id",
    DatasetRow: "dataset_id",
    BenchPackRow: "pack_id",
}
"""Facts: under one identity there is one record, or nothing is carried. The column is for the message."""


def rows_of(file: Path) -> dict[str, int]:
    """Return how many rows of a catalogue a file has, by table; empty where it never was one, or is not there."""
    if not file.exists():
        return {}
    try:
        with opened_to_look(f"sqlite:///{file}") as session:
            there = set(sa.inspect(session.connection()).get_table_names())
            counts = {
                row.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(_table(row))) or 0
                for row in _SAYS_SOMETHING
                if row.__tablename__ in there
            }
    except SQLAlchemyError as error:
        raise DataCorrupt(
            f"read the catalogue of before in {file}",
            found=str(getattr(error, "orig", None) or error),
            next_step="restore the file from a backup, or move it away",
        ) from error
    return {name: count for name, count in counts.items() if count}


def carry_over(
    file: Path, target: GovernanceDatabase, *, actor: Actor, at: datetime
) -> dict[str, dict[str, int]]:
    """Copy what the target does not have, in one transaction with a record on the ledger; again, nothing more happens.

    Artifacts are carried whose version the target's ledger knows with the same bytes; scorecards, drift checks and alerts with them.
    Others were of a registry in the file, and stay there. Of what is there already the target's stands.

    Returns
    -------
    dict
        By table, how many rows were ``carried``, were ``present`` and were ``left``.

    Raises
    ------
    DataCorrupt
        The target has another artifact, dataset or pack under the same identity. Nothing was written.
    """
    with tempfile.TemporaryDirectory(prefix="ordinis-carry-") as folder:
        source = GovernanceDatabase(copy_file(f"sqlite:///{file}", folder=Path(folder)))
        try:
            source.upgrade()  # the copy: the file keeps its revision
            with source.reading() as old, target.session() as new:
                told = _Carrying(old, new).all()
                if any(counts["carried"] for counts in told.values()):
                    body = {"from": str(file.resolve()), "tables": told}
                    ledger.append(
                        new, subject=ledger.EVERYTHING, action=CARRIED_OVER, actor=actor, at=at, body=body
                    )
        finally:
            source.close()
    return told


class _Carrying:
    """One run: what may come along depends on what came before it."""

    def __init__(self, old: Session, new: Session) -> None:
        self._old = old
        self._new = new
        self._ids: set[str] = set()
        self._versions: set[tuple[str, str]] = set()
        self._alerts: set[str] = set()

    def all(self) -> dict[str, dict[str, int]]:
        """Carry every table, what others hang on first."""
        told = {
            row.__tablename__: self._table(row, keep)
            for row, keep in (
                (SegmentRow, _always),
                (DatasetRow, _always),
                (BenchPackRow, _always),
                (TraceRow, _always),
                (AttemptRow, _always),
                (OutboxRow, _always),
                (ArtifactRow, self._is_registered),
            )
        }
        self._learn_artifacts()
        told |= {
            row.__tablename__: self._table(row, keep)
            for row, keep in (
                (ScorecardRow, lambda row: row["artifact_id"] in self._ids),
                (DriftReportRow, lambda row: self._is_known(DriftReport.model_validate_json(row["record"]))),
                (DriftAlertRow, lambda row: self._is_known(DriftAlert.model_validate_json(row["record"]))),
                (AlertRow, self._is_known_alert),
                (AlertFactRow, lambda row: row["alert_id"] in self._alerts),
                (ResponseRow, lambda row: row["alert_id"] in self._alerts),
                (DeliveryRow, lambda row: row["alert_id"] in self._alerts),
                (HeartbeatRow, self._make_room_for_beat),
            )
        }
        return told

    def _table(self, row: type[Base], keep: Callable[[Mapping[str, Any]], bool]) -> dict[str, int]:
        table = _table(row)
        of_dialect: Any = postgresql if self._new.get_bind().dialect.name == "postgresql" else sqlite
        key = table.primary_key.columns
        insert = of_dialect.insert(table).on_conflict_do_nothing().returning(*key)
        counted = {column.name for column in key if column.autoincrement is True}
        counts = Counter({"carried": 0, "present": 0, "left": 0})
        equal: Counter[tuple[Any, ...]] = Counter()
        for kept in self._old.execute(sa.select(table).order_by(*key)).mappings():
            found = {str(name): value for name, value in kept.items()}
            if not keep(found):
                counts["left"] += 1
                continue
            values = {name: value for name, value in found.items() if name not in counted}
            if row is AttemptRow:
                equal[tuple(values.values())] += 1
                if self._equal_rows(table, values) >= equal[tuple(values.values())]:
                    counts["present"] += 1
                    continue
            carried = self._new.connection().execute(insert, values).first() is not None
            counts["carried" if carried else "present"] += 1
            if not carried and row in _THE_SAME:
                self._must_be_the_same(table, found, named=_THE_SAME[row])
        return dict(counts)

    def _must_be_the_same(self, table: sa.Table, found: Mapping[str, Any], *, named: str) -> None:
        same = sa.select(sa.func.count()).select_from(table).where(table.c.record == found["record"])
        if not self._new.scalar(same.where(table.c[named] == found[named])):
            raise DataCorrupt(
                f"carry {table.name} {found[named]} over",
                found="the registry's database has another record of this identity",
                next_step="compare the two; where the newer one is right: ordinis-learn carry-over --leave",
            )

    def _is_registered(self, row: Mapping[str, Any]) -> bool:
        """Whether the target's ledger registered this version with these bytes, or could not read them."""
        holding = f'"version":{canonical_json(row["version"]).decode()}'
        for record in ledger.newest(self._new, row["name"], action="version.registered", holding=holding):
            if str(record.body["version"]) == row["version"]:
                return record.body.get("artifact_sha256") in {None, row["artifact_sha256"]}
        return False

    def _learn_artifacts(self) -> None:
        known = sa.select(ArtifactRow.artifact_id, ArtifactRow.name, ArtifactRow.version)
        for artifact_id, name, version in self._new.execute(known):
            self._ids.add(artifact_id)
            self._versions.add((name, version))

    def _is_known(self, record: DriftReport | DriftAlert) -> bool:
        return (record.model, record.version) in self._versions

    def _is_known_alert(self, row: Mapping[str, Any]) -> bool:
        alert = Alert.model_validate_json(row["record"])
        names = {"*", *(name for name, _ in self._versions)}
        known = (alert.subject, alert.version) in self._versions if alert.version else alert.subject in names
        if known:
            self._alerts.add(alert.alert_id)
        return known

    def _make_room_for_beat(self, row: Mapping[str, Any]) -> bool:
        """Let an earlier sign of life of the target go; a later one stands."""
        earlier = sa.delete(HeartbeatRow).where(HeartbeatRow.job == row["job"], HeartbeatRow.at < row["at"])
        self._new.execute(earlier)
        return True

    def _equal_rows(self, table: sa.Table, values: Mapping[str, Any]) -> int:
        """Return how many equal rows are there: attempts have no identity, and two equal ones are two."""
        same = [table.c[name] == value for name, value in values.items()]
        return self._new.scalar(sa.select(sa.func.count()).select_from(table).where(*same)) or 0


def _always(_row: Mapping[str, Any]) -> bool:
    return True


def _table(row: type[Base]) -> sa.Table:
    return Base.metadata.tables[row.__tablename__]
