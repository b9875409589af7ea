"""False alarms and delay of ours and of Evidently's defaults, on the same windows of real features.

``ORDINIS_BENCH_EVIDENTLY_PYTHON=… python -m benchmarks.drift_rivals [CHECKS [SHIFTED [ASKED]]]`` prints two tables. Decided before they were seen:

* Features: the twelve of twenty stocks, 1991-2023. A stream has five years of sessions; 21 of them, from anywhere inside, are
  the window, and the rest (20 sessions on either side left out) is the reference. Both are drawn alike, so nothing has changed.
* The same streams twice: as they were, and with their sessions shuffled, so that nothing has a memory.
* A check a day: the share of undrifted windows with an alarm is the rate of false alarms per day.
* A shift is planted in the last d sessions of a shuffled window, d = 1, 2, 3, 5, 8, 13, 21; the delay is the first d with an alarm.
* Alarms of ours: the report is breached (what raises an alert), and any finding significant after Benjamini-Hochberg at 5 %. Alarms of
  Evidently: half of the columns drifted (its "dataset drift"), and any column drifted.

An alarm that the unshifted window raises already is no detection: such windows are left out of the delays of that alarm.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.stats import beta, binom

from benchmarks.bench_drift import process
from ordinis_learn.drift import build_reference, check_drift
from ordinis_learn.market import compute_features, load_sp500
from ordinis_learn.records import DatasetManifest, ModelRef

SPAN, GUARD, WINDOW = 1260, 20, 21
DAYS = (1, 2, 3, 5, 8, 13, 21)
NOW = datetime(2024, 1, 2, tzinfo=UTC)
MODEL = ModelRef(name="m", version="1", artifact_sha256="0" * 64)
ALARMS = ("ours, breached", "ours, any finding", "Evidently, half of the columns", "Evidently, any column")
SHIFTS = {
    "mean + 1 standard deviation": lambda values, scale: values + scale,
    "spread × 3": lambda values, _: values.mean(axis=(0, 1)) + 3 * (values - values.mean(axis=(0, 1))),
    "vanished": lambda values, _: np.full_like(values, np.nan),
    "a slip of units (× 10)": lambda values, _: 10 * values,
}
"""What happens to three of the twelve features."""


def main(checks=30, shifted=30, asked=5):
    history = load_sp500()
    cube = compute_features(history)
    values, days = cube.values[260:], history.sessions[260:].astype("datetime64[D]")
    python = os.environ["ORDINIS_BENCH_EVIDENTLY_PYTHON"]
    worker = str(Path(__file__).with_name("_rival_detection.py"))
    with tempfile.TemporaryDirectory(prefix="ordinis-bench-") as folder, process([python, worker]) as rival:
        judge = Judge(cube.names, rival, Path(folder) / "window.npz")
        if checks:
            print(
                "| streams | alarm | false alarms per day | 95 % interval | checks |\n|---|---|---:|---|---:|"
            )
        for kind in ("as they were", "shuffled") if checks else ():
            streams = drawn(values, days, count=checks, seed=11, shuffled=kind == "shuffled")
            for line in false_alarms(kind, [judge(stream, stream.window) for stream in streams]):
                print(line, flush=True)
        streams = drawn(values, days, count=shifted, seed=11, shuffled=True)
        for line in delay_table(judge, streams, asked=asked):
            print(line, flush=True)


def false_alarms(kind, quiet):
    for name, found in zip(ALARMS, zip(*quiet, strict=True), strict=True):
        hits, checks = sum(found), len(found)
        low, high = interval(hits, checks)
        yield f"| {kind} | {name} | {hits / checks:.1%} | {low:.1%} to {high:.1%} | {checks} |"


def delay_table(judge, streams, *, asked):
    """Follow every shift in each stream; Evidently, which takes minutes for a stream, only in as many as are ``asked``."""
    found = {title: [] for title in SHIFTS}
    for number, stream in enumerate(streams):
        judged = ALARMS if number < asked else ALARMS[:2]
        quiet = judge(stream, stream.window, skip_rival=number >= asked)[: len(judged)]
        for title, shift in SHIFTS.items():
            first = delays(judge, stream, shift, quiet)
            found[title].append(
                {name: one for name, one, raised in zip(judged, first, quiet, strict=True) if not raised}
            )
    yield "\n| shift | alarm | found within 21 sessions | 95 % interval | median delay, sessions (95 % interval) |\n|---|---|---:|---|---:|"
    for title, rows in found.items():
        for name in ALARMS:
            yield f"| {title} | {name} | {told([row[name] for row in rows if name in row])} |"


@dataclass(frozen=True, eq=False)
class Stream:
    before: np.ndarray
    before_days: np.ndarray
    window: np.ndarray
    window_days: np.ndarray


def drawn(values, days, *, count, seed, shuffled):
    """Windows from inside five years of sessions, and the rest of them."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        start = int(rng.integers(len(days) - SPAN))
        first = int(rng.integers(SPAN - WINDOW))
        span = values[start : start + SPAN]
        span = span[rng.permutation(SPAN)] if shuffled else span
        dates, at = days[start : start + SPAN], np.arange(SPAN)
        rest = (at < first - GUARD) | (at >= first + WINDOW + GUARD)
        inside = slice(first, first + WINDOW)
        yield Stream(span[rest], dates[rest], span[inside], dates[inside])


class Judge:
    def __init__(self, names, rival, path):
        self.names = names
        self.rival = rival
        self.path = path
        self.known = (None, None)

    def __call__(self, stream, window, *, skip_rival=False):
        """Return the four alarms for a stream whose window may have been shifted."""
        report = check_drift(
            reference=self.reference(stream),
            current=table(self.names, window, stream.window_days),
            model=MODEL,
            psi_floor=0.2,
            alpha=0.05,
            seed=1,
            clock=lambda: NOW,
        )
        significant = any(finding.q_value <= 0.05 for finding in report.findings)
        drifted, columns = (0, 1) if skip_rival else self.ask(stream.before, window)
        return report.breached, significant, drifted >= columns / 2, drifted > 0

    def reference(self, stream):
        """Return what a stream is compared with; its null is computed once."""
        known, reference = self.known
        if known is not stream:
            rows = table(self.names, stream.before, stream.before_days)
            reference = build_reference(rows, manifest=manifest_of(rows, self.names))
            self.known = stream, reference
        return reference

    def ask(self, before, now):
        flat = (one.reshape(-1, len(self.names)) for one in (before, now))
        np.savez(self.path, names=np.array(self.names), **dict(zip(("before", "now"), flat, strict=True)))
        self.rival.stdin.write(f"{self.path}\n")
        self.rival.stdin.flush()
        return tuple(map(int, self.rival.stdout.readline().split()))


def delays(judge, stream, shift, before):
    """Return for each alarm the first number of shifted sessions that raised it, None where none did."""
    columns = stream.before.shape[2]
    touched = [0, columns // 2, columns - 1]
    scale = np.nanstd(stream.before, axis=(0, 1))[touched]
    first = [0 if one else None for one in before]  # raised already: left out by the caller
    for days in DAYS:
        window = stream.window.copy()
        window[-days:, :, touched] = shift(window[-days:, :, touched], scale)
        alarms = judge(stream, window, skip_rival=None not in first[2:])
        first = [days if alarm and one is None else one for alarm, one in zip(alarms, first, strict=False)]
        if None not in first:
            break
    return first


def told(usable):
    """Say how many were found, and the median with the order statistics that hold it in 95 of 100 samples."""
    if not usable:
        return "0 of 0 | – | –"
    ordered, found = sorted(np.inf if one is None else one for one in usable), np.count_nonzero(usable)
    low, high = interval(found, len(usable))
    rank = max(int(binom.ppf(0.025, len(usable), 0.5)), 1)
    middle, first, last = (
        "over 21" if np.isinf(one) else f"{one:g}"
        for one in (np.median(ordered), ordered[rank - 1], ordered[-rank])
    )
    return f"{found} of {len(usable)} | {low:.0%} to {high:.0%} | {middle} ({first} to {last})"


def interval(hits, count, level=0.95):
    """Clopper and Pearson (1934)."""
    tail = (1 - level) / 2
    low = beta.ppf(tail, hits, count - hits + 1) if hits else 0.0
    high = beta.ppf(1 - tail, hits + 1, count - hits) if hits < count else 1.0
    return float(low), float(high)


def table(names, values, days):
    columns = {f"f_{name}": values[:, :, place].ravel() for place, name in enumerate(names)}
    return pa.table({"session": pa.array(np.repeat(days, values.shape[1])), **columns})


def manifest_of(rows, names):
    zeros = "0" * 64
    return DatasetManifest(
        dataset_id="stream",
        version="1",
        kind="signal",
        window={"start": rows["session"][0].as_py(), "end": rows["session"][-1].as_py()},
        files=(),
        content_sha256=zeros,
        columns={},
        feature_names=tuple(names),
        rows=rows.num_rows,
        label_stats={},
        profile={},
        event_range={"types": (), "count": 0, "first": None, "last": None, "log_position": 0},
        join_quality={},
        query_hash=zeros,
        code_commit="",
        config_hash=zeros,
        suite_hash=zeros,
        validation={"success": True, "evaluated": 1, "expected": 1},
        created_at=NOW,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
