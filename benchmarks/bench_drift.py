"""Drift of many columns at once, against SciPy's tests column by column, and a year of daily checks.

Both sides see the same current rows. Ours compares them with a stored reference (PSI, Jensen-Shannon, Kolmogorov-Smirnov,
Wasserstein, missing and new values, by session, calibrated); calibration depends on the reference alone and is not part of
the time, as in a monitor that runs every day. SciPy's side has the reference rows sorted beforehand and computes the plain
two-sample statistic and its p-value, nothing else.
"""

from __future__ import annotations

import numpy as np

from benchmarks._harness import compare
from ordinis_learn.drift import Judgement, calibrate_column, measure_column, summarise_column

COLUMNS, SESSIONS, YEAR, WINDOW = 50, 250, 252, 21
JUDGEMENT = Judgement(draws=999, seed=1, alpha=0.05, psi_floor=0.2)


def run(*, quick):
    rows = 100_000 if quick else 1_000_000
    rng = np.random.default_rng(0)
    before = [rng.standard_normal(rows) for _ in range(COLUMNS)]
    now = [rng.standard_normal(rows) for _ in range(COLUMNS)]
    session = np.arange(rows) * SESSIONS // rows
    references = [summarise_column(column, session=session, sessions=SESSIONS) for column in before]
    nulls = [calibrate_column(column, window_sessions=WINDOW, judgement=JUDGEMENT) for column in references]
    yield compare(
        f"PSI, KS and Wasserstein (and four more) of {rows:,} × {COLUMNS} against a stored reference",
        ours=lambda _: lambda: measured(references, nulls, now),
        reference_name="scipy.stats.ks_2samp per column",
        reference=lambda _: lambda: by_scipy(before, now),
        runs=3,
    )
    small = [column[: rows // 5] for column in now]
    days = np.arange(len(small[0])) * YEAR // len(small[0])
    yield compare(
        f"a year of daily checks: {YEAR} windows of {WINDOW} sessions, {len(small[0]):,} × {COLUMNS}",
        ours=lambda _: lambda: year(references, nulls, small, days),
        reference_name=f"one check of {rows:,} × {COLUMNS}",
        reference=lambda _: lambda: measured(references, nulls, now),
        runs=3,
    )


def measured(references, nulls, now):
    one = np.zeros(len(now[0]), dtype=np.int64)
    for number, (column, null, values) in enumerate(zip(references, nulls, now, strict=True)):
        current = column.bins.count(values, session=one, sessions=1)
        measure_column(
            f"x{number}",
            column=column,
            nulls=null,
            current=current,
            windows=current.total[None, :],
            judgement=JUDGEMENT,
        )


def year(references, nulls, now, days):
    for number, (column, null, values) in enumerate(zip(references, nulls, now, strict=True)):
        current = column.bins.count(values, session=days, sessions=YEAR)
        total = np.concatenate(
            [np.zeros((1, current.by_session.shape[1])), current.by_session.cumsum(axis=0)]
        )
        windows = total[WINDOW:] - total[:-WINDOW]
        measure_column(
            f"x{number}", column=column, nulls=null, current=current, windows=windows, judgement=JUDGEMENT
        )


def by_scipy(before, now):
    from scipy.stats import ks_2samp

    for reference, current in zip(before, now, strict=True):
        ks_2samp(reference, current)
