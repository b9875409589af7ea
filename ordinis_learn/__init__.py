"""Ordinis Learn: capture what trading engines did, learn from it, and let a model trade only through a gate.

>>> from ordinis_learn import LearningEngine, ModelArtifact, open_engine
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordinis_learn.engine import LearningEngine
    from ordinis_learn.records import ModelArtifact
    from ordinis_learn.wiring import active_model, open_engine

__all__ = ["LearningEngine", "ModelArtifact", "active_model", "open_engine"]

_HOMES = {
    "LearningEngine": "ordinis_learn.engine",
    "ModelArtifact": "ordinis_learn.records",
    "active_model": "ordinis_learn.wiring",
    "open_engine": "ordinis_learn.wiring",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: ``import ordinis_learn`` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ordinis_learn' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
