"""Drift of many columns at once, against SciPy's tests column by column, and a year of daily checks.

Both sides see the same current rows. Ours compares them with a stored reference (PSI, Jensen-Shannon, Kolmogorov-Smirnov,
Wasserstein, missing and new values, by session, calibrated); calibration depends on the reference alone and is not part of
the time, as in a monitor that runs every day. SciPy's side has the reference rows sorted beforehand and computes the plain
two-sample statistic and its p-value, nothing else.

NannyML and Evidently do not live in one environment with pandas 3 and XGBoost 3. Where ``ORDINIS_BENCH_NANNYML_PYTHON`` or
``ORDINIS_BENCH_EVIDENTLY_PYTHON`` names the Python of an environment that has one of them, it is measured beside ours on the same
numbers, in a process of its own; else the row is left out, and a line says so. NannyML has fitted the reference beforehand and
computes Kolmogorov-Smirnov, Wasserstein and Jensen-Shannon over all rows as one chunk. Evidently's ``DataDriftPreset`` with its
defaults takes minutes: one pair, after a first run on a hundredth of the rows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
    ordered = [np.sort(column) for column in before]
    nulls = [calibrate_column(column, window_sessions=WINDOW, judgement=JUDGEMENT) for column in references]
    yield compare(
        f"PSI, KS and Wasserstein (and four more) of {rows:,} × {COLUMNS} against a stored reference",
        ours=lambda _: lambda: measured(references, nulls, now),
        reference_name="scipy.stats.ks_2samp per column",
        reference=lambda _: lambda: by_scipy(ordered, now),
        runs=3,
    )
    for tool, runs in (("nannyml", 3), ("evidently", 1)):
        with rival(tool, before, now) as work:
            if work is None:
                continue
            yield compare(
                f"the same, {rows:,} × {COLUMNS}",
                ours=lambda _: lambda: measured(references, nulls, now),
                reference_name=f"{tool}, in a process of its own",
                reference=work,
                runs=runs,
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


@contextmanager
def rival(tool, before, now):
    """Yield the work of a process in another environment; None where no environment is named."""
    variable = f"ORDINIS_BENCH_{tool.upper()}_PYTHON"
    python = os.environ.get(variable)
    if python is None:
        print(f"(without {tool}: {variable} names no Python)", file=sys.stderr)
        yield None
        return
    command = [python, str(Path(__file__).with_name("_rival_drift.py")), tool]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ordinis-bench-"))
        few = stack.enter_context(process([*command, *saved(folder, before, now, every=100)]))
        once(few)
        whole = stack.enter_context(process([*command, *saved(folder, before, now, every=1)]))
        # The harness throws its first pair away; what takes minutes is warmed up on fewer rows.
        yield lambda run: lambda: once(few if run == 0 and tool == "evidently" else whole)


def saved(folder, before, now, *, every):
    for name, columns in (("before", before), ("now", now)):
        path = Path(folder) / f"{name}-{every}.npy"
        np.save(path, np.array([column[::every] for column in columns]))
        yield str(path)


@contextmanager
def process(command):
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as opened:
        if opened.stdout.readline() != "ready\n":
            raise SystemExit(f"{' '.join(command)} could not start; run it by hand to see why")
        yield opened
        opened.stdin.close()
        opened.wait()


def once(opened):
    opened.stdin.write("go\n")
    opened.stdin.flush()
    float(opened.stdout.readline())


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
