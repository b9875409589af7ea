"""The drift pictures, in matplotlib; nothing else imports this at its top."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253  a leaf, loaded by name
from matplotlib.figure import Figure  # noqa: TID253

from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.column import ColumnReference
from ordinis_learn.drift.reference import PREDICTION, DriftReference
from ordinis_learn.labelling import FEATURE_PREFIX
from ordinis_learn.records import DriftFinding, DriftReport

__all__ = ["draw_densities", "draw_psi"]

_COLOURS: Final = {"none": "#9aa5b1", "info": "#5b8db8", "warning": "#d9902f", "critical": "#b8402f"}
_REFERENCE, _CURRENT, _INK = "#9aa5b1", "#1f5f8b", "#22272e"
_DPI: Final = 130


def draw_psi(report: DriftReport) -> bytes:
    """Draw one bar per feature, its calibrated threshold as a tick across it; return the PNG."""
    findings = sorted((f for f in report.findings if f.metric == "psi"), key=lambda f: f.value)
    figure = Figure(figsize=(8.0, 1.5 + 0.34 * max(len(findings), 3)), layout="constrained")
    axes = figure.add_subplot()
    rows = np.arange(len(findings))
    axes.barh(rows, [f.value for f in findings], height=0.62, color=[_COLOURS[f.severity] for f in findings])
    axes.plot([f.threshold for f in findings], rows, "|", color=_INK, markersize=15, markeredgewidth=1.6)
    axes.set_yticks(rows, [f.feature for f in findings])
    axes.set_xlabel("Population stability index")
    axes.set_title(_headline(report), loc="left", fontsize=11)
    _add_legend(axes, findings, alpha=report.alpha)
    _strip(axes)
    return _png(figure)


def draw_densities(
    report: DriftReport,
    *,
    reference: DriftReference,
    current: pa.Table,
    prediction: Float1D | None,
    most: int,
) -> bytes:
    """Draw reference and current densities of the predictions and the features with the largest PSI; return the PNG."""
    panels = _panels(report, current=current, prediction=prediction, most=most)
    across = min(3, max(len(panels), 1))
    down = max(1, math.ceil(len(panels) / across))
    figure = Figure(figsize=(3.1 * across, 2.35 * down + 0.5), layout="constrained")
    for place, (finding, now) in enumerate(panels, start=1):
        axes = figure.add_subplot(down, across, place)
        _draw_pair(axes, reference.columns[finding.feature], now)
        axes.set_title(
            f"{finding.feature}  PSI {finding.value:.2f} ({finding.severity})", loc="left", fontsize=9
        )
    figure.suptitle("Training rows (grey) and recent rows (blue)", x=0.01, ha="left", fontsize=11)
    return _png(figure)


def _panels(
    report: DriftReport, *, current: pa.Table, prediction: Float1D | None, most: int
) -> list[tuple[DriftFinding, Float1D]]:
    """Return what is drawn with its known current values: the predictions first, then what moved most."""
    measured = sorted((f for f in report.findings if f.metric == "psi"), key=lambda f: -f.value)
    said = [
        (finding, prediction[np.isfinite(prediction)])
        for finding in measured
        if finding.feature == PREDICTION and prediction is not None
    ]
    there = [f for f in measured if FEATURE_PREFIX + f.feature in current.column_names]
    return said + [(f, _known(current, FEATURE_PREFIX + f.feature)) for f in there[:most]]


def _draw_pair(axes: Any, before: ColumnReference, now: Float1D) -> None:
    """Draw both; the rows of a fine bin of the reference stand spread over it."""
    cuts, rows = before.bins.cuts, before.counts.total[1:-2]
    middle = (cuts[1:] + cuts[:-1]) / 2.0
    low, high = np.quantile(np.concatenate([middle, now]), [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1.0, 45)
    below = np.concatenate([[0.0], np.cumsum(rows)])
    density = np.diff(np.interp(edges, cuts, below)) if len(cuts) > 1 else np.zeros(len(edges) - 1)
    axes.stairs(_unit_area(density, edges), edges, fill=True, color=_REFERENCE, alpha=0.55)
    axes.hist(now, bins=edges, density=True, histtype="step", color=_CURRENT, linewidth=1.6)
    axes.set_yticks([])
    axes.tick_params(labelsize=8)
    _strip(axes)
    axes.spines["left"].set_visible(False)


def _unit_area(rows: Float1D, edges: Float1D) -> Float1D:
    total = rows.sum()
    return rows / (total * np.diff(edges)) if total > 0 else rows


def _headline(report: DriftReport) -> str:
    verdict = "drift" if report.breached else "no material drift"
    return (
        f"{report.model} version {report.version}: {verdict}, "
        f"{report.start:%Y-%m-%d} to {report.end:%Y-%m-%d} against {report.dataset_ref}"
    )


def _add_legend(axes: Any, findings: Sequence[DriftFinding], *, alpha: float) -> None:
    for severity, colour in _COLOURS.items():
        if any(f.severity == severity for f in findings):
            axes.barh([0], [0], color=colour, label=severity)
    axes.plot(
        [],
        [],
        "|",
        color=_INK,
        markersize=11,
        markeredgewidth=1.6,
        label=f"{1 - alpha:.0%} of quiet windows stay below",
    )
    axes.legend(loc="lower right", frameon=False, fontsize=9)


def _known(table: pa.Table, column: str) -> Float1D:
    values: Float1D = table[column].to_numpy().astype(np.float64)
    known: Float1D = values[np.isfinite(values)]
    return known


def _strip(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()
