"""Labelling at scale, Parquet to Parquet, against bare Polars (streaming), DuckDB and pandas.

2,000 symbols over 2,500 sessions, 16 features, three horizons: five million signals, one for each symbol and session. The
events lie in files per bucket of symbols, as sealed storage keeps them; all sides read the same files. The bare scripts do
less: no duplicate or late events, no executions, no label uniqueness, no canonical order, no content hash. Each has the
codec that is fastest for it (lz4). *Read and rewrite* is Polars copying the signals, without labels.

Each run is a process of its own; its peak memory, all processes together, stands beside its name.
``ORDINIS_BENCH_SIGNALS=50000000`` asks for another size, a multiple of five million (6.6 GB of events for 50 million).
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks._harness import Row
from benchmarks._label_scale import generate

SIGNALS = 5_000_000
REFERENCES = {
    "polars": "Polars streaming",
    "duckdb": "DuckDB",
    "pandas": "pandas",
    "rewrite": "read and rewrite",
}


def run(*, quick):
    signals = 500_000 if quick else int(os.environ.get("ORDINIS_BENCH_SIGNALS", SIGNALS))
    runs = 1 if quick or signals > SIGNALS else 3
    folder = Path(tempfile.mkdtemp(prefix="ordinis-bench-"))
    try:
        generate(folder / "events", signals=signals)
        yield from _rows(folder, signals=signals, runs=runs)
    finally:
        shutil.rmtree(folder)


def _rows(folder, *, signals, runs):
    names = ["ours_in_threads", *(name for name in REFERENCES if name != "pandas" or signals <= SIGNALS)]
    found = {name: [] for name in names}
    for number in range(runs + 1):
        for name in names if number % 2 else names[::-1]:
            measured = measure(name, folder / "events", folder / "out")
            if number or not runs:
                found[name].append(measured)
    ours = found.pop("ours_in_threads")
    for name, theirs in found.items():
        yield Row(
            work=f"label {signals:,} signals ({_gigabytes(ours)})",
            reference=f"{REFERENCES[name]} ({_gigabytes(theirs)})",
            ours_seconds=statistics.median(seconds for seconds, _ in ours),
            reference_seconds=statistics.median(seconds for seconds, _ in theirs),
            ratio=statistics.median(mine / other for (mine, _), (other, _) in zip(ours, theirs, strict=True)),
            runs=runs,
            units=signals,
        )


def measure(name, events, out):
    """Return the seconds and the peak resident bytes of one job, its child processes with it."""
    out.mkdir()
    # What the run before has written is not this run's to wait for.
    os.sync()
    command = [sys.executable, "-m", "benchmarks._label_scale", name, str(events), str(out)]
    try:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            peak = _watch(process)
            seconds = float(process.stdout.read())
    finally:
        shutil.rmtree(out)
    return seconds, peak


def _watch(process):
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        total = 0
        for one in [watched, *_children(watched)]:
            try:
                total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak = max(peak, total)
        time.sleep(0.02)
    return peak


def _children(process):
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _gigabytes(measured):
    return f"{max(peak for _, peak in measured) / 1e9:.1f} GB"
