"""A question pack on disk: a manifest and the items, pinned by their hash.

``<root>/<pack_id>/`` holds ``questions.json`` (the manifest, canonical JSON) and ``items.jsonl`` (one canonical item a line,
in the order of ``item_id``). A pack is written once; the same pack again changes nothing, another one under its name is
refused, because scorecards may refer to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ordinis_learn.bench.pack import packs_with
from ordinis_learn.errors import BenchDataMissing, ConfigInvalid, DataCorrupt, DataMissing, StoreUnavailable
from ordinis_learn.ports import Clock
from ordinis_learn.records import Question, QuestionPackManifest

__all__ = ["MIN_ITEMS", "QuestionPack", "items_sha256", "load_questions", "pack_questions", "write_questions"]

MIN_ITEMS: Final = 200
"""With fewer items a difference of eight points goes unseen: power 0.56 at 100 items and 0.91 at 200 (10 % gained, 2 %
lost; ``ordinis_learn.evaluation.mcnemar_power``)."""
MANIFEST_FILE: Final = "questions.json"
ITEMS_FILE: Final = "items.jsonl"


@dataclass(frozen=True, kw_only=True)
class QuestionPack:
    """A verified pack: its manifest and its items, ordered by ``item_id``."""

    manifest: QuestionPackManifest
    items: tuple[Question, ...]


def items_sha256(items: Sequence[Question]) -> str:
    """Return the hash of items, in whatever order they are given.

    Examples
    --------
    >>> one, other = (Question(item_id=name, task="plan", variables={}) for name in "ab")
    >>> items_sha256([one, other]) == items_sha256([other, one])
    True
    """
    return hashlib.sha256(b"ordinis.questions.v1\x00" + _lines(items)).hexdigest()


def pack_questions(
    pack_id: str,
    items: Sequence[Question],
    *,
    source_ref: str,
    clock: Clock,
    documents_sha256: str | None = None,
) -> QuestionPack:
    """Make a pack of items.

    Raises
    ------
    ConfigInvalid
        Two items share an id, an item requires a document that it does not supply, or the id cannot be a folder's name.
    DataMissing
        There are fewer than :data:`MIN_ITEMS`.
    """
    asked = f"make the question pack {pack_id!r}"
    _check_items(items, asked=asked)
    if not pack_id or Path(pack_id).name != pack_id or pack_id.startswith("."):
        raise ConfigInvalid(
            asked,
            found="the id cannot be the name of a folder",
            next_step="choose an id of letters, digits, - and _",
        )
    ordered = tuple(sorted(items, key=lambda item: item.item_id))
    manifest = QuestionPackManifest(
        pack_id=pack_id,
        items=len(ordered),
        tasks=tuple(sorted({item.task for item in ordered})),
        documents=len({document.doc_id for item in ordered for document in item.documents}),
        items_sha256=items_sha256(ordered),
        source_ref=source_ref,
        documents_sha256=documents_sha256,
        created_at=clock(),
    )
    return QuestionPack(manifest=manifest, items=ordered)


def write_questions(pack: QuestionPack, *, root: Path) -> QuestionPackManifest:
    """Write a pack below ``root``; return the manifest that is there, the older one for the same items.

    Raises
    ------
    ConfigInvalid
        Other items are there under this id.
    StoreUnavailable
        The folder cannot be written.
    """
    manifest, folder = pack.manifest, root / pack.manifest.pack_id
    asked = f"write the question pack {manifest.pack_id!r} below {root}"
    if (folder / MANIFEST_FILE).exists():
        there = load_questions(root, manifest.pack_id).manifest
        if there.items_sha256 == manifest.items_sha256:
            return there
        raise ConfigInvalid(
            asked,
            found=f"other items of that name, {there.items_sha256[:12]}…, which scorecards may refer to",
            next_step="choose another id with --pack; a pack in use is never overwritten",
        )
    if folder.exists() and any(folder.iterdir()):
        raise ConfigInvalid(
            asked, found="a benchmark pack of prices has this name", next_step="choose another id with --pack"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / ITEMS_FILE, content=_lines(pack.items))
        _replace(folder / MANIFEST_FILE, content=manifest.canonical())
    except OSError as error:
        raise StoreUnavailable(
            asked,
            found=str(error),
            next_step=f"make {root} writable, or set ORDINIS_HOME to a folder that is",
        ) from error
    return manifest


def load_questions(root: Path, pack_id: str) -> QuestionPack:
    """Read a pack and verify its hash.

    Raises
    ------
    BenchDataMissing
        No such pack.
    DataCorrupt
        A file cannot be read, or the items no longer have the recorded hash.
    """
    asked, folder = f"load the question pack {pack_id!r}", root / pack_id
    restore = f"restore {folder} from a backup, or move it away and make the pack again from the same dataset"
    if not (folder / MANIFEST_FILE).is_file():
        raise BenchDataMissing(
            asked,
            found=f"no {MANIFEST_FILE} in {folder}; question packs there: {packs_with(root, MANIFEST_FILE)}",
            next_step="name one of them with --pack, or type: ordinis-learn packs questions DATASET --task TASK --pack "
            f"{pack_id}",
            pack_id=pack_id,
        )
    try:
        manifest = QuestionPackManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        lines = (folder / ITEMS_FILE).read_bytes().splitlines()
        items = tuple(Question.model_validate_json(line) for line in lines)
    except (OSError, ValidationError) as error:
        raise DataCorrupt(asked, found=str(error).splitlines()[0], next_step=restore) from error
    if manifest.pack_id != pack_id or items_sha256(items) != manifest.items_sha256:
        raise DataCorrupt(asked, found="the items do not have their recorded hash", next_step=restore)
    return QuestionPack(manifest=manifest, items=items)


def _check_items(items: Sequence[Question], *, asked: str) -> None:
    if len(items) < MIN_ITEMS:
        raise DataMissing(
            asked,
            found=f"{len(items)} items, {MIN_ITEMS} are needed to see a difference of eight points",
            next_step="draw the pack from a dataset with more requests, or over a wider window",
            rows=len(items),
            required=MIN_ITEMS,
        )
    seen: set[str] = set()
    for item in items:
        fault = "is there twice" if item.item_id in seen else _fault(item)
        if fault:
            raise ConfigInvalid(
                asked, found=f"item {item.item_id!r} {fault}", next_step="correct or leave out the item"
            )
        seen.add(item.item_id)


def _fault(item: Question) -> str:
    missing = set(item.required) - {document.doc_id for document in item.documents}
    return f"requires {min(missing)!r}, which it does not supply" if missing else ""


def _lines(items: Sequence[Question]) -> bytes:
    ordered = sorted(items, key=lambda item: item.item_id)
    return b"".join(item.canonical() + b"\n" for item in ordered)


def _replace(path: Path, *, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)
