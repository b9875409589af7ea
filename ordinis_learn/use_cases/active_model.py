"""The loaded bundle of what is ACTIVE, kept until something else is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ordinis_learn.models import SignalModel, load_bundle

__all__ = ["MAX_AGE_SECONDS", "ActiveModels"]

MAX_AGE_SECONDS: Final = 1.0
"""How long an answer may stand after another version became ACTIVE, by default."""


class Pointing(Protocol):
    """What is needed of a registry."""

    def active_version(self, name: str) -> str | None:
        """Return the ACTIVE version of a model, None when flat."""
        ...

    def local_path(self, name: str, version: str) -> Path:
        """Return a folder with the version's bundle, verified against its digest."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Kept:
    version: str | None
    model: SignalModel | None
    checked_at: float


class ActiveModels:
    """A cache of loaded models by name.

    An answer is at most ``max_age_seconds`` old: after that the registry is asked again which version is ACTIVE, and the
    bundle is loaded, its bytes verified, only when that changed. A registry that cannot be asked is an error, not an old
    answer. Threads may share it: one of them asks, the others wait.

    Parameters
    ----------
    registry : ModelRegistry
        Asked what is ACTIVE.
    seconds : callable
        A monotonic clock.
    max_age_seconds : float
        0 asks every time.
    load : callable, optional
        Turns a bundle's folder into a model.
    """

    def __init__(
        self,
        registry: Pointing,
        *,
        seconds: Callable[[], float],
        max_age_seconds: float = MAX_AGE_SECONDS,
        load: Callable[[Path], SignalModel] = load_bundle,
    ) -> None:
        self._registry = registry
        self._seconds = seconds
        self._max_age = max_age_seconds
        self._load = load
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> SignalModel | None:
        """Return the loaded ACTIVE version of a model, None when it is flat."""
        kept = self._kept.get(name)
        if kept is not None and self._seconds() - kept.checked_at < self._max_age:
            return kept.model
        with self._lock:
            return self._asked(name).model

    def _asked(self, name: str) -> _Kept:
        now, kept = self._seconds(), self._kept.get(name)
        if kept is not None and now - kept.checked_at < self._max_age:
            return kept  # another thread has asked while this one waited
        version = self._registry.active_version(name)
        if kept is not None and kept.version == version:
            model = kept.model
        else:
            model = None if version is None else self._load(self._registry.local_path(name, version))
        self._kept[name] = _Kept(version=version, model=model, checked_at=now)
        return self._kept[name]
