"""The heat map of many drift checks, in matplotlib; nothing else imports this at its top."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253  a leaf, loaded by name
from matplotlib.colors import LinearSegmentedColormap, LogNorm  # noqa: TID253
from matplotlib.figure import Figure  # noqa: TID253

from ordinis_learn.drift.binning import Float2D
from ordinis_learn.records import DriftReport

__all__ = ["draw_history"]

_LOW, _HIGH = 0.02, 2.0
_COLOURS: Final = LinearSegmentedColormap.from_list("drift", ["#f4f6f8", "#a9c4da", "#5b8db8", "#1f3f66"])
_NO_PSI, _INK, _CRITICAL = "#e6e6e2", "#22272e", "#b8402f"
_MOST_LABELS: Final = 12
_RANK: Final = {"none": 0, "info": 0, "warning": 1, "critical": 2}
_DPI: Final = 130


def draw_history(reports: Sequence[DriftReport]) -> bytes:
    """Draw a row per feature and a column per check, oldest first; return the PNG."""
    names = _names(reports)
    width = min(max(6.4, 3.2 + 0.32 * len(reports)), 18.0)
    figure = Figure(figsize=(width, 1.9 + 0.3 * max(len(names), 3)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(_NO_PSI)
    image = axes.imshow(
        np.ma.masked_invalid(np.clip(_psi(reports, names), _LOW, _HIGH)),
        aspect="auto",
        interpolation="nearest",
        cmap=_COLOURS,
        norm=LogNorm(_LOW, _HIGH),
    )
    _mark_breaches(axes, reports, names)
    _label(axes, reports, names)
    bar = figure.colorbar(image, ax=axes, pad=0.01, ticks=[0.02, 0.1, 0.2, 0.5, 1.0, 2.0])
    bar.ax.set_yticklabels(["≤ 0.02", "0.1", "0.2", "0.5", "1", "≥ 2"])
    bar.set_label("Population stability index (grey: none)", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return _png(figure)


def _names(reports: Sequence[DriftReport]) -> list[str]:
    """Return the rows: features, in the order of first appearance, then what concerns no single one."""
    seen = dict.fromkeys(finding.feature for report in reports for finding in report.findings)
    last = [name for name in ("prediction", "joint", "outcome") if name in seen]
    return [name for name in seen if name not in last] + last


def _psi(reports: Sequence[DriftReport], names: Sequence[str]) -> Float2D:
    grid = np.full((len(names), len(reports)), np.nan)
    row = {name: place for place, name in enumerate(names)}
    for column, report in enumerate(reports):
        for finding in report.findings:
            if finding.metric == "psi":
                grid[row[finding.feature], column] = finding.value
    return grid


def _mark_breaches(axes: Any, reports: Sequence[DriftReport], names: Sequence[str]) -> None:
    """Put a mark on each cell in which any metric breached: a ring for a warning, a full dot for a critical one."""
    worst: dict[tuple[str, int], int] = {}
    for column, report in enumerate(reports):
        for finding in report.findings:
            key = finding.feature, column
            worst[key] = max(worst.get(key, 0), _RANK[finding.severity])
    row = {name: place for place, name in enumerate(names)}
    for rank, label, fill in ((1, "warning", "white"), (2, "critical", _CRITICAL)):
        cells = [(column, row[name]) for (name, column), found in worst.items() if found == rank]
        axes.plot(
            [column for column, _ in cells],
            [place for _, place in cells],
            linestyle="none",
            marker="o",
            markersize=6,
            markerfacecolor=fill,
            markeredgecolor=_CRITICAL,
            markeredgewidth=1.4,
            label=f"{label}, by any metric",
        )


def _label(axes: Any, reports: Sequence[DriftReport], names: Sequence[str]) -> None:
    axes.set_xlim(-0.5, len(reports) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    step = -(-len(reports) // _MOST_LABELS)
    shown = range(0, len(reports), step)
    axes.set_xticks(
        list(shown), [f"{reports[k].end:%Y-%m-%d}" for k in shown], rotation=30, ha="right", fontsize=8
    )
    axes.tick_params(length=0)
    axes.set_title(
        f"{_subject(reports)}: {len(reports)} check{'s'[: len(reports) != 1]}",
        loc="left",
        fontsize=11,
        pad=24,
    )
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=2,
        frameon=False,
        fontsize=8,
        handletextpad=0.2,
        labelcolor=_INK,
    )
    for side in axes.spines.values():
        side.set_visible(False)


def _subject(reports: Sequence[DriftReport]) -> str:
    versions = list(dict.fromkeys(report.version for report in reports))
    return f"{reports[-1].model} version {', '.join(versions)}"


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()
