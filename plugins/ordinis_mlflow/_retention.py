"""Requests about the bytes of a version: prune them, hold them, release them.

Each is a tag that any MLflow client can set on a version and that is never stored. Pruning writes its record
first, in a transaction, and removes the bytes after the commit: a crash in between leaves a record and bytes, which
the next prune removes. From the record on the version counts as gone, so that nobody can bring it back meanwhile.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mlflow.utils.file_utils import local_file_uri_to_path  # noqa: TID253  a leaf, loaded by name

from ordinis_learn.errors import ConfigInvalid, LearnError, RolloutDenied, StoreUnavailable
from ordinis_learn.records import tree_sha256
from ordinis_learn.rollout.retention import retained
from ordinis_learn.settings import Settings
from ordinis_mlflow._artifacts import DESTINATION, ArtifactReader
from ordinis_mlflow._change import Change
from ordinis_registry.retention import HOLD_PLACED, HOLD_RELEASED, PRUNED, facts, held, pruned

__all__ = [
    "HOLD_REQUEST",
    "PRUNE_REQUEST",
    "RELEASE_REQUEST",
    "RETENTION_REQUESTS",
    "answer",
    "deletion_held",
    "remove",
]

PRUNE_REQUEST: Final = "ordinis.request.prune"
HOLD_REQUEST: Final = "ordinis.request.hold"
RELEASE_REQUEST: Final = "ordinis.request.release"
RETENTION_REQUESTS: Final = frozenset({PRUNE_REQUEST, HOLD_REQUEST, RELEASE_REQUEST})


def answer(
    change: Change,
    version: str,
    *,
    request: str,
    reason: str,
    artifacts: ArtifactReader,
    settings: Settings,
) -> tuple[Path | None, LearnError | None]:
    """Record what is asked; return the folder to remove after the commit, or the refusal to raise then.

    Parameters
    ----------
    change : Change
        Of the version's model.
    version : str
        A version that exists.
    request : str
        One of :data:`RETENTION_REQUESTS`.
    reason : str
        The tag's value; of a hold and a release the ledger keeps it.
    artifacts : ArtifactReader
        Finds the folder.
    settings : Settings
        How many retired versions stay, and where artifacts lie.
    """
    change.state(version)
    try:
        if request == PRUNE_REQUEST:
            return _prune(change, version, artifacts=artifacts, settings=settings), None
        _hold(change, version, request=request, reason=reason.strip())
    except (RolloutDenied, ConfigInvalid) as error:
        change.record("retention.refused", {"version": version, "asked": request, "found": error.found})
        return None, error
    return None, None


def deletion_held(change: Change, version: str | None = None) -> RolloutDenied | None:
    """Return why a version, or with none given the whole model, must stay for a legal hold; None without one."""
    standing = {
        one: f"version {one} is on hold: {record.body['reason']}"
        for one, record in held(change.session, change.name).items()
        if version in {None, one}
    }
    if not standing:
        return None
    asked = f"delete {change.name}" if version is None else f"delete {change.name} {version}"
    next_step = f"ordinis-learn models release {change.name} {min(standing)} --reason WHY, if it may go"
    return RolloutDenied(asked, found="; ".join(standing.values()), next_step=next_step)


def remove(folder: Path) -> None:
    """Remove the bytes of a version whose record is committed."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"remove {folder}",
            found=f"{type(error).__name__}: {error.strerror}; the ledger has the record, some bytes are left",
            next_step="see that the server may write there, then ordinis-learn models prune",
        ) from error


def _hold(change: Change, version: str, *, request: str, reason: str) -> None:
    place = request == HOLD_REQUEST
    asked = f"{'hold' if place else 'release'} {change.name} {version}"
    standing = held(change.session, change.name).get(version)
    gone = pruned(change.session, change.name, version)
    if not reason:
        raise ConfigInvalid(asked, found="no reason", next_step="give one: the ledger keeps it")
    if place and gone is not None:
        found = f"its bytes were pruned at {gone.at:%Y-%m-%d %H:%M:%S}Z"
        raise RolloutDenied(asked, found=found, next_step="restore them from a backup of your own")
    if place and standing is not None:
        found = f"held since {standing.at:%Y-%m-%d %H:%M:%S}Z: {standing.body['reason']}"
        raise ConfigInvalid(asked, found=found, next_step="nothing: it is kept")
    if not place and standing is None:
        raise ConfigInvalid(
            asked, found="it is not on hold", next_step="ordinis-learn models prune --dry-run"
        )
    change.record(HOLD_PLACED if place else HOLD_RELEASED, {"version": version, "reason": reason})


def _prune(change: Change, version: str, *, artifacts: ArtifactReader, settings: Settings) -> Path | None:
    asked = f"prune {change.name} {version}"
    keep = settings.learn_retired_models_kept
    found = retained(facts(change.session, folder=artifacts.folder_of), keep=keep)
    why = next(
        (one.kept for one in found if (one.name, one.version) == (change.name, version)), "not RETIRED"
    )
    if why:
        raise RolloutDenied(
            asked, found=f"it is kept: {why}", next_step="ordinis-learn models prune --dry-run"
        )
    address = change.plain.get_model_version_download_uri(change.bare_name, version)
    folder = _removable(address, asked=asked, artifacts=artifacts, settings=settings)
    if folder is not None and pruned(change.session, change.name, version) is None:
        digest = _intact(folder, expected=change.reference(version).artifact_sha256, asked=asked)
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        body = {"version": version, "artifact_sha256": digest, "address": address, "keep": keep}
        change.record(PRUNED, {**body, "files": len(sizes), "bytes": sum(sizes)})
    return folder


def _intact(folder: Path, *, expected: str, asked: str) -> str:
    """Return the digest of a model folder, which must be the one it was registered with."""
    if not (folder / "MLmodel").is_file():
        raise RolloutDenied(
            asked, found=f"{folder} holds no model", next_step="ordinis-learn ledger reconcile"
        )
    digest = tree_sha256(folder)
    if digest != expected:
        raise RolloutDenied(
            asked,
            found=f"its bytes have the digest {digest[:12]}…, registered is {expected[:12]}…",
            next_step="ordinis-learn ledger reconcile; find who changed them before they are removed",
        )
    return digest


def _removable(address: str, *, asked: str, artifacts: ArtifactReader, settings: Settings) -> Path | None:
    """Return the folder of a model that may be removed, None where nothing is left of it.

    Whoever registers a version names its folder: only what lies in an artifact root and is a model may go.
    """
    folder = artifacts.local_folder(address)
    if folder is None:
        raise RolloutDenied(
            asked,
            found=f"its bytes lie at {urlsplit(address).scheme}:, and only local folders are pruned",
            next_step="let a rule of that store expire it, e.g. aws s3api put-bucket-lifecycle-configuration",
        )
    folder = folder.resolve()
    if not folder.exists():
        return None
    roots = _roots(settings)
    if not any(folder != root and folder.is_relative_to(root) for root in roots):
        raise RolloutDenied(
            asked,
            found=f"{folder} lies outside {' and '.join(map(str, roots))}",
            next_step=f"rm -r the folder yourself if it may go: {folder}",
        )
    return folder


def _roots(settings: Settings) -> list[Path]:
    roots = [settings.models_dir.resolve()]
    destination = os.environ.get(DESTINATION, "")
    if destination and urlsplit(destination).scheme in {"", "file"}:
        roots.append(Path(local_file_uri_to_path(destination)).resolve())
    return roots
