"""A benchmark pack on disk: a manifest and the prices it was made from.

``<root>/<pack_id>/`` holds ``manifest.json`` (canonical JSON) and ``prices.parquet``. A pack is written
once: prices first, manifest last, each under a temporary name that is then renamed, so a folder with a
manifest is complete. Writing the same pack again changes nothing; another pack under its name is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ordinis_learn.errors import BenchDataMissing, ConfigInvalid, DataCorrupt, StoreUnavailable
from ordinis_learn.market import PriceHistory
from ordinis_learn.records import BenchPackManifest, canonical_json, hash_of

__all__ = ["Pack", "load_pack", "manifest_hash_of", "packs_with", "prices_sha256", "write_pack"]

MANIFEST_FILE: Final = "manifest.json"
PRICES_FILE: Final = "prices.parquet"


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """A verified pack: the manifest and the prices, warm-up included."""

    manifest: BenchPackManifest
    history: PriceHistory


def prices_sha256(history: PriceHistory) -> str:
    """Return the hash of a price history's values, whatever file format holds them.

    Covers sessions (int64 days), symbols, closes and index levels (little-endian float64, row by row).
    Every NaN counts as the same NaN.

    Examples
    --------
    >>> from ordinis_learn.market import load_sp500
    >>> history = load_sp500()
    >>> prices_sha256(history) == prices_sha256(PriceHistory.from_table(history.to_table()))
    True
    """
    digest = hashlib.sha256(b"ordinis.bench.prices.v1\x00")
    digest.update(canonical_json(list(history.symbols)))
    digest.update(history.sessions.astype("datetime64[D]").astype("<i8").tobytes())
    for values in (history.close, history.index_close):
        digest.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return digest.hexdigest()


def manifest_hash_of(manifest: BenchPackManifest) -> str:
    """Return the hash of everything in a manifest but its own ``manifest_hash``."""
    values = manifest.to_json()
    del values["manifest_hash"]
    return hash_of(values, domain="ordinis.bench.pack.v1")


def write_pack(manifest: BenchPackManifest, history: PriceHistory, *, root: Path) -> Path:
    """Write a pack below ``root`` and return its folder; the same pack again is a no-op.

    Raises
    ------
    ConfigInvalid
        Another pack already has this id.
    DataCorrupt
        Manifest and prices do not belong together, or the pack that is there does not verify.
    StoreUnavailable
        The folder cannot be written.
    """
    asked = f"write benchmark pack {manifest.pack_id!r} below {root}"
    folder = root / manifest.pack_id
    _verify(manifest, history, asked=asked, folder=folder)
    if (folder / MANIFEST_FILE).exists():
        _refuse_other(load_pack(root, manifest.pack_id).manifest, manifest, asked=asked)
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / PRICES_FILE, content=_parquet_bytes(history))
        _replace(folder / MANIFEST_FILE, content=manifest.canonical())
    except OSError as error:
        raise StoreUnavailable(
            asked,
            found=str(error),
            next_step=f"make {root} writable, or set ORDINIS_HOME to a folder that is",
        ) from error
    return folder


def packs_with(root: Path, file: str) -> str:
    """Return the ids of the packs below a folder that hold a file, as a message lists them.

    Examples
    --------
    >>> packs_with(Path("no such folder"), "manifest.json")
    'none'
    """
    return ", ".join(sorted(path.parent.name for path in root.glob(f"*/{file}"))) or "none"


def load_pack(root: Path, pack_id: str) -> Pack:
    """Read a pack and verify both of its hashes.

    Raises
    ------
    BenchDataMissing
        No such pack, or it has no prices.
    DataCorrupt
        A file cannot be read, or its content no longer has the recorded hash.
    """
    asked = f"load benchmark pack {pack_id!r}"
    folder = root / pack_id
    for name in (MANIFEST_FILE, PRICES_FILE):
        if not (folder / name).is_file():
            raise BenchDataMissing(
                asked,
                found=f"no {name} in {folder}; benchmark packs of prices there: {packs_with(root, MANIFEST_FILE)}",
                next_step=f"name one of them with --pack, or type: ordinis-learn packs generate --pack {pack_id}",
                pack_id=pack_id,
            )
    try:
        manifest = BenchPackManifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
        history = PriceHistory.from_table(pq.read_table(folder / PRICES_FILE))
    except OSError as error:
        # pyarrow reports a broken Parquet footer as OSError too; both ask for the same first look.
        raise DataCorrupt(asked, found=str(error), next_step=_restore(folder)) from error
    except (ValidationError, pa.ArrowException, KeyError, ValueError) as error:
        raise DataCorrupt(asked, found=str(error), next_step=_restore(folder)) from error
    _verify(manifest, history, asked=asked, folder=folder)
    if manifest.pack_id != pack_id:
        raise DataCorrupt(asked, found=f"the manifest of {manifest.pack_id!r}", next_step=_restore(folder))
    return Pack(manifest=manifest, history=history)


def _verify(manifest: BenchPackManifest, history: PriceHistory, *, asked: str, folder: Path) -> None:
    if manifest.manifest_hash != manifest_hash_of(manifest):
        raise DataCorrupt(
            asked, found="the manifest does not have its recorded hash", next_step=_restore(folder)
        )
    if manifest.data_sha256 != prices_sha256(history):
        raise DataCorrupt(
            asked,
            found="the prices do not have the hash recorded in the manifest",
            next_step=_restore(folder),
            expected=manifest.data_sha256,
        )


def _refuse_other(there: BenchPackManifest, wanted: BenchPackManifest, *, asked: str) -> None:
    if there.manifest_hash != wanted.manifest_hash:
        raise ConfigInvalid(
            asked,
            found=f"a pack of that name with hash {there.manifest_hash[:12]}…, which scorecards may refer to",
            next_step="choose another id with --pack; a pack in use is never overwritten",
            there=there.manifest_hash,
            wanted=wanted.manifest_hash,
        )


def _restore(folder: Path) -> str:
    return f"restore {folder} from a backup, or move it away and generate the pack again from the same bars"


def _parquet_bytes(history: PriceHistory) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(history.to_table(), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _replace(path: Path, *, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(content)
    temporary.replace(path)
