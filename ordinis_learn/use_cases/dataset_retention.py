"""Give up the rows of datasets that nothing needs any more; manifests and hashes stay.

The ledger's record comes first, then a note in the folder, then the files go. A crash in between leaves a record and
rows; the next prune removes them under the same record, and of two prunes at once the second finds the record of the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ordinis_learn.datasets.retention import DatasetFacts, DatasetRetention, retained
from ordinis_learn.datasets.store import PRUNED_FILE, check_files, dataset_folder
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, LearnError, RolloutDenied, StoreUnavailable
from ordinis_learn.records import Actor, AuditRecord, DatasetManifest, State
from ordinis_learn.workbench import Workbench

__all__ = ["hold", "plan", "prune", "release"]

PRUNED: Final = "dataset.pruned"
HELD: Final = "dataset.held"
RELEASED: Final = "dataset.released"


def plan(bench: Workbench) -> list[DatasetRetention]:
    """Return every dataset whose rows are there, oldest first, and why they stay or may go."""
    holds = _holds(bench)
    users = _users(bench)
    facts = [
        DatasetFacts(
            ref=manifest.ref,
            bytes=sum(path.stat().st_size for path in files),
            written_at=_written_at(manifest, files),
            used_by=tuple(users.get(manifest.ref, ())),
            held=holds.get(manifest.ref, ""),
        )
        for manifest in bench.catalogue.datasets()
        if (files := _files(bench, manifest))
    ]
    return retained(facts, now=bench.clock(), days=bench.settings.learn_dataset_retention_days)


def prune(
    bench: Workbench, found: Sequence[DatasetRetention]
) -> Iterator[tuple[DatasetRetention, AuditRecord | LearnError]]:
    """Prune those that may go, one after the other, and yield the ledger's record of each.

    Each is judged again first: what came into use meanwhile stays. One that cannot be pruned does not keep the others
    from it; its error is yielded in place of a record.
    """
    for one in found:
        if not one.goes:
            continue
        try:
            yield one, _prune(bench, one.ref)
        except LearnError as error:
            yield one, error


def hold(bench: Workbench, ref: str, *, reason: str) -> None:
    """Place a legal hold on a dataset: its rows stay until it is released.

    Raises
    ------
    DataMissing
        No such dataset.
    ConfigInvalid
        No reason, or it is on hold.
    """
    manifest = bench.catalogue.dataset(ref)
    standing = _holds(bench).get(manifest.ref)
    if standing is not None:
        raise ConfigInvalid(
            f"hold {manifest.ref}", found=f"it is on hold: {standing}", next_step="nothing: it is kept"
        )
    _record(bench, manifest, HELD, reason=_reason(f"hold {manifest.ref}", reason))


def release(bench: Workbench, ref: str, *, reason: str) -> None:
    """Release a legal hold; ConfigInvalid where there is none, or no reason."""
    manifest = bench.catalogue.dataset(ref)
    if manifest.ref not in _holds(bench):
        raise ConfigInvalid(
            f"release {manifest.ref}",
            found="it is not on hold",
            next_step="ordinis-learn datasets prune --dry-run",
        )
    _record(bench, manifest, RELEASED, reason=_reason(f"release {manifest.ref}", reason))


def _prune(bench: Workbench, ref: str) -> AuditRecord:
    kept = next((one.kept for one in plan(bench) if one.ref == ref), "its rows are gone already")
    if kept:
        raise RolloutDenied(
            f"prune {ref}", found=f"it is kept: {kept}", next_step="ordinis-learn datasets prune --dry-run"
        )
    manifest = bench.catalogue.dataset(ref)
    files = _files(bench, manifest)
    if not files:
        raise RolloutDenied(
            f"prune {ref}", found="its rows are gone already", next_step="nothing: another prune was faster"
        )
    written = _written_at(manifest, files)
    record = _standing_record(bench, manifest, since=written)
    if record is None:
        check_files(manifest, root=bench.settings.datasets_dir)
        size = sum(path.stat().st_size for path in files)
        days = bench.settings.learn_dataset_retention_days
        record = _record(
            bench, manifest, PRUNED, since=written, files=len(files), bytes=size, retention_days=days
        )
    folder = dataset_folder(
        bench.settings.datasets_dir, dataset_id=manifest.dataset_id, version=manifest.version
    )
    _remove(folder, files=files, record=record)
    return record


def _remove(folder: Path, *, files: Sequence[Path], record: AuditRecord) -> None:
    note = (
        f"{record.at:%Y-%m-%d %H:%M:%S}Z by {record.actor.name}, ledger record {record.sequence} of chain *\n"
    )
    try:
        (folder / PRUNED_FILE).write_text(note, encoding="utf-8")
        for path in files:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"remove the rows in {folder}",
            found=f"{type(error).__name__}: {error.strerror}; the ledger has the record, some rows are left",
            next_step="make the folder writable, then ordinis-learn datasets prune",
        ) from error


def _standing_record(bench: Workbench, manifest: DatasetManifest, *, since: datetime) -> AuditRecord | None:
    """Return the record under which these rows were to go already; rows written after it need one of their own."""
    for record in reversed(bench.catalogue.dataset_records()):
        if record.action == PRUNED and record.body["ref"] == manifest.ref and record.at >= since:
            return record
    return None


def _record(
    bench: Workbench, manifest: DatasetManifest, action: str, *, since: datetime | None = None, **body: object
) -> AuditRecord:
    facts = {"ref": manifest.ref, "content_sha256": manifest.content_sha256, **body}
    actor = Actor(name=bench.settings.actor, kind="claimed")
    return bench.catalogue.record_dataset(action, actor=actor, body=facts, since=since)


def _holds(bench: Workbench) -> dict[str, str]:
    standing: dict[str, str] = {}
    for record in bench.catalogue.dataset_records():
        ref = record.body["ref"]
        if record.action == HELD:
            standing[ref] = record.body["reason"]
        elif record.action == RELEASED:
            standing.pop(ref, None)
    return standing


def _users(bench: Workbench) -> dict[str, list[str]]:
    """Return the registered versions that need their data, by dataset; a state that cannot be read counts as needed."""
    users: dict[str, list[str]] = {}
    for artifact in bench.catalogue.artifacts():
        if not artifact.version:
            continue
        try:
            state = bench.registry.state(artifact.name, artifact.version).value
        except LearnError as error:
            state = f"state unknown: {error.code}"
        if state != State.RETIRED:
            said = f"{artifact.name} v{artifact.version} ({state})"
            users.setdefault(artifact.data_snapshot_ref, []).append(said)
    return users


def _files(bench: Workbench, manifest: DatasetManifest) -> list[Path]:
    """Return the data files that are there; one that a manifest places outside its folder is DataCorrupt."""
    root = bench.settings.datasets_dir
    folder = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version).resolve()
    paths = [(folder / file.path).resolve() for file in manifest.files]
    for path in paths:
        if not path.is_relative_to(folder):
            raise DataCorrupt(
                f"look for the rows of {manifest.ref}",
                found=f"{path} lies outside {folder}",
                next_step="ordinis-learn datasets verify shows what else does not hold",
            )
    return [path for path in paths if path.is_file()]


def _written_at(manifest: DatasetManifest, files: Sequence[Path]) -> datetime:
    newest = max(path.stat().st_mtime for path in files)
    return max(manifest.created_at, datetime.fromtimestamp(newest, tz=UTC))


def _reason(asked: str, reason: str) -> str:
    if not reason.strip():
        raise ConfigInvalid(asked, found="no reason", next_step="give one: the ledger keeps it")
    return reason.strip()
