"""Pictures of an evaluation; matplotlib is loaded only when one is drawn."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.evaluation.scorecard import Evaluation

__all__ = ["write_plots"]


def write_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw equity, drawdown and the regime table as PNG files into a folder, and return their paths.

    Raises
    ------
    StoreUnavailable
        The folder cannot be written.
    """
    from ordinis_learn.evaluation._plots import draw  # noqa: PLC0415  matplotlib takes its time

    return draw(evaluation, folder=folder)
