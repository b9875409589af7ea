"""Where the code and its environment came from."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from ordinis_learn.records import file_sha256, hash_of

__all__ = ["UNKNOWN_COMMIT", "Provenance", "collect_provenance", "environment_hash"]

UNKNOWN_COMMIT: Final = "unknown"
_GIT_SECONDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The code and environment behind a run.

    Attributes
    ----------
    code_commit : str
        The commit's full hash; ``unknown`` outside a git checkout.
    code_dirty : bool
        Whether a tracked file, or an untracked Python file, differs from the commit. True when unknown.
    dirty_patch : str
        The difference as a git patch, followed by one comment line with path and SHA-256 per untracked
        Python file; empty when clean. Other untracked files are left out: they may be keys or data.
    env_hash : str
        Hash of every installed distribution with its version.
    """

    code_commit: str
    code_dirty: bool
    dirty_patch: str
    env_hash: str


def collect_provenance(folder: Path | None = None) -> Provenance:
    """Ask git about a folder, by default the one this package was imported from.

    A package inside a checkout that does not track it (a virtual environment in a working copy, say) is not
    described by that checkout's commit, so its commit is unknown too. Takes tens of milliseconds.
    """
    here = folder or Path(__file__).resolve().parent
    commit = _git(here, "rev-parse", "--verify", "HEAD")
    if commit is None or not _git(here, "ls-files", "."):
        return Provenance(
            code_commit=UNKNOWN_COMMIT, code_dirty=True, dirty_patch="", env_hash=environment_hash()
        )
    patch = _patch(here)
    return Provenance(
        code_commit=commit.strip(), code_dirty=bool(patch), dirty_patch=patch, env_hash=environment_hash()
    )


def environment_hash() -> str:
    """Return the hash of the sorted ``name==version`` of every installed distribution.

    Names are normalised as in PEP 503, so the order and spelling of an installer do not matter.
    """
    found = {
        f"{re.sub(r'[-_.]+', '-', dist.name).lower()}=={dist.version}" for dist in metadata.distributions()
    }
    return hash_of(sorted(found), domain="ordinis.environment")


def _patch(folder: Path) -> str:
    top = Path((_git(folder, "rev-parse", "--show-toplevel") or str(folder)).strip())
    tracked = _git(top, "diff", "--binary", "HEAD") or ""
    untracked = (_git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", "*.py") or "").split(
        "\0"
    )
    notes = [f"# untracked {name} sha256 {file_sha256(top / name)}\n" for name in untracked if name]
    return tracked + "".join(notes)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output, None where there is no git, no repository or no answer in time."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=_GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("utf-8", errors="replace")
