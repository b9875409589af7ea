"""The learning curve of an embedding model; without pyplot, so nothing global is touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253  this leaf is loaded by name
from matplotlib.figure import Figure  # noqa: TID253

__all__ = ["draw_loss"]


def draw_loss(path: Path, *, name: str, train: Sequence[float], valid: Sequence[float], best: int) -> Path:
    """Draw the loss per epoch, on the pairs that were fitted and on those held out; return the path."""
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.plot(range(1, len(train) + 1), train, color="#666666", label="train")
    axes.plot(range(1, len(valid) + 1), valid, color="#0072B2", label="held out")
    axes.plot(best, valid[best - 1], "o", color="#D55E00", label="best")
    axes.set_title(f"{name}: contrastive loss per epoch")
    axes.set_xlabel("epoch")
    axes.set_ylabel("InfoNCE, nats")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": "ordinis-learn"})
    return path
