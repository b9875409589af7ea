"""Where checkpoints are kept: lines of a file, lines of a git note, or objects in a store.

A target only ever grows by a line. Two writers of one file or note take turns through a lock file beside it, on
systems that have ``flock``; for object stores see :mod:`ordinis_registry.checkpoint_objects`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_registry.checkpoint_objects import ObjectStoreTarget

try:
    import fcntl
except ImportError:  # Windows: writers there must take turns by themselves
    fcntl = None  # type: ignore[assignment]

__all__ = ["NOTES_REF", "CheckpointTarget", "FileTarget", "GitNoteTarget", "parse_target"]

NOTES_REF: Final = "refs/notes/ordinis-checkpoints"
_GIT_SECONDS: Final = 20


class CheckpointTarget(Protocol):
    """A place outside the database; every method raises StoreUnavailable where it cannot be used."""

    @property
    def address(self) -> str:
        """What ``--to`` takes."""
        ...

    def lines(self) -> list[bytes]:
        """Return every line, oldest first; none where nothing was ever written."""
        ...

    def append(self, line: bytes, *, by: str, after: int) -> None:
        """Add a line, durably; ``by`` is the name of the signer, ``after`` how many lines it continues."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep other writers out."""
        ...


class FileTarget:
    """A file of JSON lines; its folder is made on the first line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def address(self) -> str:
        """What ``--to`` takes."""
        return f"file:{self.path}"

    def lines(self) -> list[bytes]:
        """Return every line, oldest first."""
        try:
            return self.path.read_bytes().splitlines() if self.path.exists() else []
        except OSError as error:
            raise _unusable_file(self.path, error) from error

    def append(self, line: bytes, *, by: str, after: int) -> None:
        """Add a line and sync it."""
        del by, after
        try:
            with self.path.open("ab") as stream:
                stream.write(line + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise _unusable_file(self.path, error) from error

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers out."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise _unusable_file(self.path, error) from error
        with _locked(descriptor):
            yield


class GitNoteTarget:
    """A note on the empty tree, an object that every repository has, in a ref of its own.

    Each line is a commit on :data:`NOTES_REF`; pushing that ref puts it where the database's owner cannot write.

    Parameters
    ----------
    repository : Path
        A git repository, bare or with a work tree.
    """

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    @property
    def address(self) -> str:
        """What ``--to`` takes."""
        return f"git:{self.repository}"

    def lines(self) -> list[bytes]:
        """Return every line of the note, oldest first."""
        empty_tree = self._empty_tree()
        if not self._git("for-each-ref", NOTES_REF):
            return []
        return self._git("notes", f"--ref={NOTES_REF}", "show", empty_tree).splitlines()

    def append(self, line: bytes, *, by: str, after: int) -> None:
        """Write the note anew with one more line; git keeps the one before."""
        del after
        text = b"\n".join([*self.lines(), line]) + b"\n"
        self._git(
            "notes", f"--ref={NOTES_REF}", "add", "-f", "-F", "-", self._empty_tree(), given=text, by=by
        )

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other writers of ours out."""
        folder = Path(self._git("rev-parse", "--absolute-git-dir").decode().strip())
        try:
            descriptor = os.open(folder / "ordinis-checkpoints.lock", os.O_CREAT | os.O_RDWR)
        except OSError as error:
            raise _unusable_git(self.repository, str(error)) from error
        with _locked(descriptor):
            yield

    def _empty_tree(self) -> str:
        return self._git("hash-object", "-t", "tree", "--stdin").decode().strip()

    def _git(self, *arguments: str, given: bytes = b"", by: str = "ordinis-learn") -> bytes:
        who = {"NAME": by, "EMAIL": f"{by}@ordinis-learn.invalid"}
        names = {f"GIT_{side}_{key}": value for side in ("AUTHOR", "COMMITTER") for key, value in who.items()}
        inherited = {
            key: value for key, value in os.environ.items() if key not in {"GIT_DIR", "GIT_WORK_TREE"}
        }
        try:
            done = subprocess.run(
                ["git", "-C", str(self.repository), *arguments],
                input=given,
                capture_output=True,
                check=True,
                timeout=_GIT_SECONDS,
                env=inherited | names,
            )
        except subprocess.CalledProcessError as error:
            raise _unusable_git(self.repository, error.stderr.decode(errors="replace").strip()) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _unusable_git(self.repository, str(error)) from error
        return done.stdout


def parse_target(text: str, *, default: Path) -> CheckpointTarget:
    """Return the target that a text names.

    Parameters
    ----------
    text : str
        ``file`` for the default file, ``file:PATH``, ``git:PATH`` of a repository, or a URL of an object store.
    default : Path
        The default file.

    Examples
    --------
    >>> parse_target("file:/var/checkpoints.jsonl", default=Path("x")).address
    'file:/var/checkpoints.jsonl'
    """
    kind, _, path = text.partition(":")
    if text == "file":
        return FileTarget(default)
    if kind == "file" and path:
        return FileTarget(Path(path))
    if kind == "git" and path:
        return GitNoteTarget(Path(path))
    if path.startswith("//"):
        return ObjectStoreTarget(text)
    raise ConfigInvalid(
        f"keep checkpoints at {text!r}",
        found="not a target that is known",
        next_step="write file, file:PATH, git:PATH or s3://bucket/prefix",
    )


@contextmanager
def _locked(descriptor: int) -> Iterator[None]:
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unusable_file(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"use the checkpoint file {path}",
        found=str(error),
        next_step="give a file in a folder that can be written",
    )


def _unusable_git(repository: Path, found: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"use the git notes {NOTES_REF} in {repository}",
        found=found or "git gave no reason",
        next_step="give a git repository that can be written, with git on the PATH",
    )
