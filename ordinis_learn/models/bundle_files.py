"""The files of a bundle are those of its kind, and have the hashes that its header gives."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ordinis_learn.errors import ArtifactMissing, DataCorrupt
from ordinis_learn.models.header import HEADER_FILE, Header
from ordinis_learn.records import file_sha256

__all__ = ["check_files"]

_RESTORE: Final = "restore the folder from the run's artifacts, or train again with ordinis-learn train"


def check_files(folder: Path, *, asked: str, header: Header, expected: frozenset[str]) -> None:
    """Hash every file before anything parses it.

    Raises
    ------
    ArtifactMissing
        One is not there.
    DataCorrupt
        One does not belong, or has another hash.
    """
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if missing := sorted(expected - present):
        raise ArtifactMissing(asked, found=f"no {', '.join(missing)}", next_step=_RESTORE, missing=missing)
    if extra := sorted(present - expected - {HEADER_FILE}):
        raise DataCorrupt(
            asked,
            found=f"files that do not belong: {', '.join(extra)}",
            next_step=f"move them away; a bundle of this kind holds {', '.join(sorted({HEADER_FILE, *expected}))}",
            extra=extra,
        )
    hashes = {name: file_sha256(folder / name) for name in expected}
    if changed := sorted(name for name in expected if header.files.get(name) != hashes[name]):
        found = f"{', '.join(changed)} does not have the hash that {HEADER_FILE} gives"
        raise DataCorrupt(asked, found=found, next_step=_RESTORE, changed=changed)
