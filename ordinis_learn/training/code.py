"""The code and the libraries that a trial's outcome follows from, as one hash."""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from typing import Final

from ordinis_learn.records import file_sha256, hash_of

__all__ = ["code_sha256"]

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_SOURCES: Final = (
    "training/*.py",
    "models/*.py",
    "evaluation/overfitting.py",
    "datasets/history.py",
    "datasets/splits.py",
    "market/lags.py",
)
_LIBRARIES: Final = ("numpy", "optuna", "torch", "xgboost", "xgboost-cpu")


@functools.cache
def code_sha256() -> str:
    """Hash the modules that fit, split, sample and judge trials, and the versions of what they call.

    Content and not a commit: a commit elsewhere leaves a study as it is, an edit that is not committed does not, and
    there is an answer where there is no git. Takes milliseconds, once a process.

    Examples
    --------
    >>> len(code_sha256())
    64
    """
    files = sorted(path for pattern in _SOURCES for path in _PACKAGE.glob(pattern))
    sources = {path.relative_to(_PACKAGE).as_posix(): file_sha256(path) for path in files}
    return hash_of({"sources": sources, "libraries": _versions()}, domain="ordinis.training_code")


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
