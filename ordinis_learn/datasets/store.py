"""Datasets on disk: ``<root>/<dataset_id>/<version>/`` with data, manifest and report.

A version's folder appears whole or not at all: it is written beside its place and renamed. Its manifest is
never rewritten. What is opened is hashed first.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

import pyarrow as pa
from pydantic import ValidationError

from ordinis_learn.datasets.report import render_report
from ordinis_learn.datasets.storage import is_local, move, read_parquet, remove_tree
from ordinis_learn.errors import ConfigInvalid, DataCorrupt, DataMissing, DatasetRejected, StoreUnavailable
from ordinis_learn.records import DatasetFile, DatasetManifest, DatasetWindow, file_sha256

__all__ = [
    "ROW_ORDER",
    "build_command",
    "check_dataset_id",
    "check_files",
    "dataset_folder",
    "open_dataset",
    "publish",
    "published",
    "read_rows",
    "rejection",
    "require_same_suite",
    "restore",
]

MANIFEST_FILE: Final = "manifest.json"
REPORT_FILE: Final = "report.html"
ROW_ORDER: Final = ("session", "symbol", "ts_signal", "signal_id")
PRUNED_FILE: Final = "pruned.txt"
"""Says when rows were given up; it is there until they are written again."""
_DATASET_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Placeable(Protocol):
    """Rows that can be put into a folder as data files."""

    def place(self, folder: Path) -> tuple[DatasetFile, ...]:
        """Put the data files there, once."""
        ...


def dataset_folder(root: Path, *, dataset_id: str, version: str) -> Path:
    """Return where a version lies."""
    return root / dataset_id / version


def check_dataset_id(dataset_id: str) -> None:
    """Refuse an id that cannot be a folder's name with ConfigInvalid."""
    if not _DATASET_ID.fullmatch(dataset_id):
        raise ConfigInvalid(
            f"build dataset {dataset_id!r}",
            found="an id that is not made of letters, digits, '_' and '-' (at most 64)",
            next_step="choose a plain name, e.g. sp500_core",
        )


def build_command(dataset_id: str, *, window: DatasetWindow, kind: str = "signal") -> str:
    """Return what to type to build a window.

    Examples
    --------
    >>> window = DatasetWindow(start="2001-01-02", end="2001-12-31", horizons=(5,))
    >>> build_command("core", window=window)
    'ordinis-learn datasets build core --start 2001-01-02 --end 2001-12-31 --horizon 5'
    """
    if _needs_python(window):
        return f"LearningEngine.build_dataset({dataset_id!r}, {window.to_json()})"
    words = ["ordinis-learn datasets build", dataset_id]
    if kind != "signal":
        words.append(f"--kind {kind}")
    words += [f"--start {window.start}", f"--end {window.end}"]
    if window.horizons != DatasetWindow.model_fields["horizons"].default:
        words += [f"--horizon {horizon}" for horizon in window.horizons]
    words += [f"--symbol {symbol}" for symbol in window.symbols or ()]
    if window.calendar != DatasetWindow.model_fields["calendar"].default:
        words.append(f"--calendar {window.calendar}")
    if window.as_of is not None:
        words.append(f"--as-of {window.as_of.isoformat()}")
    return " ".join(words)


def require_same_suite(known: DatasetManifest, *, suite_hash: str) -> None:
    """Refuse to take a published version for one that another suite has judged."""
    if known.suite_hash != suite_hash:
        raise ConfigInvalid(
            f"build dataset {known.ref} again",
            found="the same content is on disk, judged by another suite of expectations "
            f"({known.suite_hash[:16]}...); a manifest is never rewritten",
            next_step=f"build it under another id, e.g. {known.dataset_id}_2, to have it judged by this release",
        )


def _needs_python(window: DatasetWindow) -> bool:
    """Say whether a window has something that the command has no option for."""
    fields = DatasetWindow.model_fields
    return any(getattr(window, name) != fields[name].default for name in ("volatility_span", "barriers"))


def open_dataset(manifest: DatasetManifest, *, root: Path) -> pa.Table:
    """Return the rows of an accepted dataset, after its files were found unchanged, in order of session and symbol.

    Raises
    ------
    DatasetRejected
        The dataset failed its expectations.
    DataCorrupt
        A file is missing, unreadable or not the one that was written.
    """
    if not manifest.validation.success:
        raise rejection(manifest, asked=f"open dataset {manifest.ref}")
    check_files(manifest, root=root)
    table = read_rows(manifest, root=root)
    if table.num_rows != manifest.rows:
        raise _corrupt(manifest, found=f"{table.num_rows} rows where the manifest has {manifest.rows}")
    return table


def read_rows(manifest: DatasetManifest, *, root: Path) -> pa.Table:
    """Return the rows of all files, in order of session and symbol; DataCorrupt where they cannot be read. Nothing is hashed."""
    folder = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version)
    try:
        tables = [read_parquet(folder / file.path) for file in manifest.files]
    except (pa.ArrowInvalid, OSError) as error:
        raise _corrupt(manifest, found=str(error)) from error
    table = pa.concat_tables(tables)
    return table if len(tables) == 1 else table.sort_by([(name, "ascending") for name in ROW_ORDER])


def check_files(manifest: DatasetManifest, *, root: Path) -> Path:
    """Hash every file of a version; return its folder.

    Raises
    ------
    DataMissing
        The rows were pruned.
    DataCorrupt
        A file is missing or not the one that was written.
    """
    folder = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version)
    for file in manifest.files:
        fault = _fault(folder / file.path, file=file)
        if fault is not None:
            raise _pruned(manifest, folder) or _corrupt(manifest, found=fault)
    return folder


def rejection(manifest: DatasetManifest, *, asked: str) -> DatasetRejected:
    """Return the error that tells why a dataset was rejected; ``data["manifest"]`` holds it."""
    reasons = [
        *manifest.validation.failed[:5],
        *([manifest.validation.error] if manifest.validation.error else []),
    ]
    return DatasetRejected(
        asked,
        found=f"{manifest.ref} is kept but failed its expectations: {'; '.join(reasons)}",
        next_step=f"read {manifest.dataset_id}/{manifest.version}/{REPORT_FILE}, correct the source of the events, "
        "and build the window again",
        manifest=manifest,
    )


def published(root: Path, *, dataset_id: str, version: str) -> DatasetManifest | None:
    """Return the manifest of a version that is on disk, None where it is not.

    Raises
    ------
    DataCorrupt
        The folder is there without a readable manifest.
    """
    folder = dataset_folder(root, dataset_id=dataset_id, version=version)
    # On object storage the manifest comes last: without it, an upload is under way or died, and is made again.
    if not (folder if is_local(folder) else folder / MANIFEST_FILE).exists():
        return None
    try:
        return DatasetManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise DataCorrupt(
            f"read the manifest of {dataset_id}@{version}",
            found=f"{folder / MANIFEST_FILE}: {str(error).splitlines()[0]}",
            next_step=f"move {folder} away and build the dataset again",
        ) from error


def publish(rows: Placeable, *, root: Path, draft: DatasetManifest) -> DatasetManifest:
    """Write a version's folder; return the draft with the written files in it.

    Where another process was faster, its folder stays and its manifest is returned.

    Raises
    ------
    StoreUnavailable
        The folder cannot be written. What was there before is as it was.
    """
    building = root / f".building-{uuid4().hex}"
    try:
        building.mkdir(parents=True)
        manifest = draft.model_copy(update={"files": rows.place(building)})
        (building / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (building / REPORT_FILE).write_text(render_report(manifest), encoding="utf-8")
        place = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version)
        place.parent.mkdir(exist_ok=True)
        if _settle(building, place):
            return manifest
        return published(root, dataset_id=manifest.dataset_id, version=manifest.version) or manifest
    except OSError as error:
        raise StoreUnavailable(
            f"write a dataset under {root}",
            found=str(error),
            next_step=f"make {root} writable, or set ORDINIS_HOME to a folder that is",
        ) from error
    finally:
        remove_tree(building)


def restore(rows: Placeable, *, manifest: DatasetManifest, root: Path) -> None:
    """Put back the data files of a published version that are missing or changed.

    Raises
    ------
    DataCorrupt
        The rows are those of the manifest but no longer encode to the recorded bytes.
    StoreUnavailable
        The folder cannot be written.
    """
    folder = dataset_folder(root, dataset_id=manifest.dataset_id, version=manifest.version)
    faulty = [file for file in manifest.files if _fault(folder / file.path, file=file) is not None]
    if not faulty:
        return
    building = root / f".building-{uuid4().hex}"
    try:
        building.mkdir(parents=True)
        written = set(rows.place(building))
        for file in faulty:
            if file not in written:
                raise DataCorrupt(
                    f"restore {manifest.ref}",
                    found="the same rows encode to other bytes now, as after an upgrade of pyarrow",
                    next_step=f"restore {folder / file.path} from a backup, or build under another dataset id",
                )
            move(building / file.path, folder / file.path)
        (folder / PRUNED_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailable(
            f"restore {manifest.ref}", found=str(error), next_step=f"make {folder} writable"
        ) from error
    finally:
        remove_tree(building)


def _settle(building: Path, place: Path) -> bool:
    """Show a finished version under its name, all at once; False where somebody else's is there already."""
    if is_local(place):
        return _rename_unless_there(building, place)
    if (place / MANIFEST_FILE).exists():
        return False
    names = sorted((path.name for path in building.iterdir()), key=MANIFEST_FILE.__eq__)
    for name in names:
        move(building / name, place / name)
    return True


def _rename_unless_there(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except OSError:
        if not target.exists():
            raise
        return False
    return True


def _fault(path: Path, *, file: DatasetFile) -> str | None:
    if not path.is_file():
        return f"{path} is missing"
    if file_sha256(path) != file.sha256:
        return f"{path} does not have the SHA-256 {file.sha256[:16]}... that was recorded when it was written"
    return None


def _pruned(manifest: DatasetManifest, folder: Path) -> DataMissing | None:
    """Return the error for rows that were given up on purpose, None where the folder does not say so."""
    note = folder / PRUNED_FILE
    if not note.is_file():
        return None
    command = build_command(manifest.dataset_id, window=manifest.window, kind=manifest.kind)
    return DataMissing(
        f"open dataset {manifest.ref}",
        found=f"its rows were pruned ({note.read_text(encoding='utf-8').strip()}); manifest and hashes are kept",
        next_step=f"write them again while the event log still has their events: {command}",
        manifest=manifest,
    )


def _corrupt(manifest: DatasetManifest, *, found: str) -> DataCorrupt:
    command = build_command(manifest.dataset_id, window=manifest.window, kind=manifest.kind)
    return DataCorrupt(
        f"open dataset {manifest.ref}",
        found=found,
        next_step=f"restore the file from a backup, or write it again from the event log: {command}",
        manifest=manifest,
    )
