"""Pictures of a drift check."""

from __future__ import annotations

import pyarrow as pa

from ordinis_learn.drift.reference import DriftReference
from ordinis_learn.records import DriftReport

__all__ = ["plot_drift"]


def plot_drift(
    report: DriftReport, *, reference: DriftReference, current: pa.Table, most: int = 6
) -> dict[str, bytes]:
    """Draw the PSI of every feature beside its threshold, and the densities of those that moved most.

    Parameters
    ----------
    report : DriftReport
    reference : DriftReference
    current : pyarrow.Table
        The rows that the report is about.
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
        "densities.png": _plots.draw_densities(report, reference=reference, current=current, most=most),
    }
