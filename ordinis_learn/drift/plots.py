"""Pictures of a drift check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.reference import DriftReference
from ordinis_learn.records import DriftReport

__all__ = ["plot_drift", "plot_history"]

_MOST_CHECKS: Final = 60


def plot_drift(
    report: DriftReport,
    *,
    reference: DriftReference,
    current: pa.Table,
    prediction: Float1D | None = None,
    most: int = 6,
) -> dict[str, bytes]:
    """Draw the PSI of every feature beside its threshold, and the densities of the predictions and of what moved most.

    Parameters
    ----------
    report : DriftReport
    reference : DriftReference
    current : pyarrow.Table
        The rows that the report is about.
    prediction : float64 array, shape (n,), optional
        What the model said about them: it gets a panel of its own.
    most : int
        How many features get a density panel.

    Returns
    -------
    dict of str to bytes
        PNG by file name: ``psi.png`` and ``densities.png``.
    """
    from ordinis_learn.drift import _plots  # noqa: PLC0415  matplotlib takes a second to import

    return {
        "psi.png": _plots.draw_psi(report),
        "densities.png": _plots.draw_densities(
            report, reference=reference, current=current, prediction=prediction, most=most
        ),
    }


def plot_history(reports: Sequence[DriftReport]) -> dict[str, bytes]:
    """Draw how every feature has moved from check to check.

    Parameters
    ----------
    reports : sequence of DriftReport
        In any order; drawn by the end of their windows. Of several checks of one window of a version the newest is
        drawn, and of all windows the latest 60.

    Returns
    -------
    dict of str to bytes
        PNG by file name: ``history.png``; empty for no reports.
    """
    newest = {
        (report.end, report.start, report.version): report
        for report in sorted(reports, key=lambda report: report.created_at)
    }
    if not newest:
        return {}
    from ordinis_learn.drift import _history_plot  # noqa: PLC0415  matplotlib takes a second to import

    ordered = [newest[key] for key in sorted(newest)]
    return {"history.png": _history_plot.draw_history(ordered[-_MOST_CHECKS:])}
