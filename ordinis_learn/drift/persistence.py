"""Does a breach persist: one bad day is weather."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import DriftFinding, DriftReport

__all__ = ["persistent_breaches"]

_BREACH: Final = frozenset({"warning", "critical"})


def persistent_breaches(reports: Sequence[DriftReport], *, k: int, n: int) -> tuple[DriftFinding, ...]:
    """Return the newest report's breaches that were breaches on at least ``k`` of the last ``n`` days checked.

    A day is the last session of a check; of several checks of one day the newest counts, so a repeated check
    does not persist by itself. Days without a check are no days: a monitor that slept neither raises nor clears. Each
    finding is one (feature, metric); the newest one's numbers are returned. With k = n = 1 every breach persists.

    Parameters
    ----------
    reports : sequence of DriftReport
        Of one version of one model, in any order.

    Returns
    -------
    tuple of DriftFinding
        In the newest report's order; none for no reports, or fewer days than ``k``.

    Raises
    ------
    ConfigInvalid
        Not 1 ≤ k ≤ n, or reports of several models or versions.
    """
    _require_sense(reports, k=k, n=n)
    newest: dict[date, DriftReport] = {}
    for report in sorted(reports, key=lambda report: report.created_at):
        newest[report.end.date()] = report
    days = sorted(newest)[-n:]
    if not days:
        return ()
    found = [_breaches(newest[day]) for day in days]
    return tuple(
        finding
        for finding in newest[days[-1]].findings
        if finding.severity in _BREACH
        and sum((finding.feature, finding.metric) in breaches for breaches in found) >= k
    )


def _breaches(report: DriftReport) -> frozenset[tuple[str, str]]:
    return frozenset(
        (finding.feature, finding.metric) for finding in report.findings if finding.severity in _BREACH
    )


def _require_sense(reports: Sequence[DriftReport], *, k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise ConfigInvalid(
            "ask whether a breach persists",
            found=f"{k} of {n} days",
            next_step="choose 1 ≤ k ≤ n, such as 2 of 3",
        )
    versions = sorted({f"{report.model} v{report.version}" for report in reports})
    if len(versions) > 1:
        raise ConfigInvalid(
            "ask whether a breach persists",
            found=f"checks of {', '.join(versions)}",
            next_step="pass the checks of one version",
        )
