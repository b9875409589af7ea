"""Run the benchmarks and print one Markdown table.

``python -m benchmarks`` from the checkout; ``--only capture`` runs one file, ``--quick`` uses small sizes (for a look,
not for a figure). Each row was measured side by side in this process, so the ratio says more than the seconds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks._harness import Row

PACKAGES = (
    "duckdb",
    "mlflow",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "sqlalchemy",
    "xgboost-cpu",
    "xgboost",
)
HEAD = "| work | ours | compared to | theirs | ratio | pairs |\n|---|---:|---|---:|---:|---:|"


def main(arguments: list[str]) -> int:
    """Run what was asked for; return the exit status."""
    names = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes")
    options = parser.parse_args(arguments)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    print(facts())
    print(HEAD)
    for name in options.only or names:
        for row in importlib.import_module(f"benchmarks.bench_{name}").run(quick=options.quick):
            print(line(row), flush=True)
    return 0


def line(row: Row) -> str:
    """Return a row of the table."""
    ours, theirs = (_cell(seconds, row.units) for seconds in (row.ours_seconds, row.reference_seconds))
    return f"| {row.work} | {ours} | {row.reference} | {theirs} | {row.ratio:.2f}× | {row.runs} |"


def facts() -> str:
    """Return the machine and the versions on one line."""
    found = {name: _version(name) for name in PACKAGES}
    packages = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.machine()}, {cores} cores, {platform.system()}, Python {platform.python_version()}; {packages}.\n"
        "Ratio: our time over theirs, median of the pairs; below 1 is faster.\n"
    )


def _cell(seconds: float, units: int) -> str:
    shown = f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
    return f"{shown} ({units / seconds:,.0f}/s)" if units else shown


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
