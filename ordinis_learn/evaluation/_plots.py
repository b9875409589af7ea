"""The matplotlib side of :mod:`ordinis_learn.evaluation.plots`.

Figures are built without pyplot, so nothing global is touched and threads may draw at once. Colours are
the Okabe–Ito blue and vermilion, told apart with any colour vision, and by line style in print.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: TID253  this leaf is loaded by name
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num  # noqa: TID253
from matplotlib.figure import Figure  # noqa: TID253
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter  # noqa: TID253
from matplotlib.transforms import Bbox  # noqa: TID253

from ordinis_learn.bench import STRESS_WINDOWS
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.evaluation.scorecard import Evaluation
from ordinis_learn.records import RegimeRow, Scorecard

__all__ = ["draw"]

Float1D = npt.NDArray[np.float64]

_SUBJECT: Final[dict[str, Any]] = {"color": "#0072B2", "linewidth": 1.4, "linestyle": "-"}
_BASELINE: Final[dict[str, Any]] = {"color": "#D55E00", "linewidth": 1.2, "linestyle": (0, (4, 1.2))}
_STRESS: Final[dict[str, Any]] = {"color": "#999999", "alpha": 0.22, "linewidth": 0}
_INK: Final = "#333333"
_MAX_GAP: Final = np.timedelta64(10, "D")
_TITLES: Final = {window.name: window.title for window in STRESS_WINDOWS}
_COLUMNS: Final = (
    ("sharpe", "Sharpe", "{:.2f}"),
    ("cagr", "CAGR", "{:.1%}"),
    ("max_drawdown", "Drawdown", "{:.1%}"),
)


def draw(evaluation: Evaluation, *, folder: Path) -> list[Path]:
    """Write ``equity.png``, ``drawdown.png`` and ``regimes.png``."""
    figures = {
        "equity.png": _equity(evaluation),
        "drawdown.png": _drawdown(evaluation),
        "regimes.png": _regimes(evaluation.scorecard),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            figure.savefig(folder / name, dpi=130, metadata={"Software": "ordinis-learn"})
    except OSError as error:
        raise StoreUnavailable(
            f"write plots into {folder}", found=str(error), next_step="choose a folder that can be written"
        ) from error
    return [folder / name for name in figures]


def _equity(evaluation: Evaluation) -> Figure:
    figure, axes = _time_axes(evaluation, title="Equity, net of costs")
    for label, returns, style in _curves(evaluation):
        axes.plot(*_broken(evaluation.sessions, _compounded(returns)), label=label, **style)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylabel("Equity, 1 at the start (log scale)")
    _name_stress(evaluation, axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _drawdown(evaluation: Evaluation) -> Figure:
    figure, axes = _time_axes(evaluation, title="Drawdown from the last peak")
    for label, returns, style in _curves(evaluation):
        equity = _compounded(returns)
        peak = np.maximum(np.maximum.accumulate(equity), 1.0)
        axes.plot(*_broken(evaluation.sessions, equity / peak - 1.0), label=label, **style)
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, decimals=0))
    axes.set_ylabel("Drawdown (% of peak equity)")
    axes.set_ylim(top=0.0)
    _name_stress(evaluation, axes)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def _regimes(scorecard: Scorecard) -> Figure:
    compared = scorecard.baseline is not None
    header = ["Regime", "Windows", "Sessions"]
    for _, title, _ in _COLUMNS:
        header += [f"{title}\nsubject", f"{title}\nbaseline"] if compared else [title]
    cells = [_cells(row, compared=compared) for row in scorecard.regimes]
    figure = _figure(width=11.5 if compared else 7.5, height=1.1 + 0.36 * len(cells))
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(_heading(scorecard, "By regime"), loc="left", fontsize=11, color=_INK)
    table = axes.table(
        cellText=cells,
        colLabels=header,
        bbox=Bbox.unit(),
        cellLoc="right",
        colLoc="right",
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(9.5)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor("#CCCCCC")
        cell.get_text().set_color(_INK)
        if row == 0:
            cell.set_height(cell.get_height() * 1.45)
            cell.get_text().set_fontweight("bold")
        if column == 0:
            cell.get_text().set_horizontalalignment("left")
    return figure


def _cells(row: RegimeRow, *, compared: bool) -> list[str]:
    cells = [row.regime.value, f"{row.windows}", f"{row.sessions:,}"]
    for name, _, form in _COLUMNS:
        for values in (row.subject, row.baseline) if compared else (row.subject,):
            value = values.get(name, np.nan)
            cells.append("–" if np.isnan(value) else form.format(value).replace("-", "−"))
    return cells


def _figure(*, width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _time_axes(evaluation: Evaluation, *, title: str) -> tuple[Figure, Any]:
    figure = _figure(width=10.0, height=4.8)
    axes = figure.add_subplot()
    axes.set_title(_heading(evaluation.scorecard, title), loc="left", fontsize=11, color=_INK, pad=26)
    for window in evaluation.stress:
        axes.axvspan(date2num(window.start), date2num(window.end), **_STRESS)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel("Session (a gap lies outside every judged window)")
    axes.grid(visible=True, axis="y", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    return figure, axes


def _name_stress(evaluation: Evaluation, axes: Any) -> None:
    for window in evaluation.stress:
        axes.text(
            (date2num(window.start) + date2num(window.end)) / 2.0,
            1.01,
            fill(_TITLES.get(window.stress or "", window.stress or ""), width=13),
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=7.5,
            linespacing=1.0,
            color="#666666",
        )


def _curves(evaluation: Evaluation) -> list[tuple[str, Float1D, dict[str, Any]]]:
    card = evaluation.scorecard
    curves = [(_label(card, baseline=False), evaluation.subject_returns, _SUBJECT)]
    if evaluation.baseline_returns is not None:
        curves.append((_label(card, baseline=True), evaluation.baseline_returns, _BASELINE))
    return curves


def _label(card: Scorecard, *, baseline: bool) -> str:
    ref = card.baseline if baseline and card.baseline else card.subject
    sharpe = (card.baseline_metrics if baseline else card.metrics).get("sharpe")
    number = "undefined" if sharpe is None else f"{sharpe:.2f}"
    return f"{'baseline' if baseline else 'subject'}: {ref.name} v{ref.version} (Sharpe {number})"


def _heading(card: Scorecard, title: str) -> str:
    return f"{title} · {card.subject.name} v{card.subject.version} on {card.pack_id}, {card.windows} windows"


def _compounded(returns: Float1D) -> Float1D:
    return np.maximum(1.0 + returns, 0.0).cumprod()


def _broken(
    sessions: npt.NDArray[np.datetime64], values: Float1D
) -> tuple[npt.NDArray[np.datetime64], Float1D]:
    """Put a NaN where sessions outside the windows were left out, so that no line is drawn across."""
    gaps = np.flatnonzero(np.diff(sessions) > _MAX_GAP) + 1
    return np.insert(sessions, gaps, sessions[gaps]), np.insert(values, gaps, np.nan)
