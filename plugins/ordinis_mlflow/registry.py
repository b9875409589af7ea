"""The model registry over MLflow; MLflow itself is imported when the class is asked for, not before."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ordinis_mlflow._registry import MlflowModelRegistry

__all__ = ["MlflowModelRegistry"]


def __getattr__(name: str) -> Any:
    """Import the adapter when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'ordinis_mlflow.registry' has no attribute {name!r}")
    return getattr(importlib.import_module("ordinis_mlflow._registry"), name)
