"""What one training takes in memory: rows opened whole, streamed, and streamed with bins on disk.

Each in a process of its own, whose peak of private memory is sampled; a process that only imports is what is taken off.
The bundles are compared: their bytes are the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from benchmarks._harness import Row
from benchmarks._training_rows import made_rows, published

WAYS = {"whole": 1e6, "streamed": None, "on disk": 1e-9}
"""What ``memory_gb`` is, so that rows are opened this way; None is what just streams."""


def run(*, quick):
    with tempfile.TemporaryDirectory(prefix="ordinis-bench-") as name:
        folder = Path(name)
        names = tuple(f"x{n}" for n in range(10 if quick else 50))
        table = made_rows(100 if quick else 2_000, symbols=500, names=names)
        manifest = published(table, folder, names=names)
        (folder / "manifest.json").write_text(manifest.model_dump_json())
        rows = len(table)
        del table
        imports = _measured(folder, way="imports")
        found = {way: _measured(folder, way=way) for way in WAYS}
    whole = found.pop("whole")
    for way, one in found.items():
        assert one["sha256"] == whole["sha256"]
        peak, against = (found_one["peak_gib"] - imports["peak_gib"] for found_one in (one, whole))
        yield Row(
            work=f"train, {rows:,} rows of {len(names)}, {way}: {peak:.2f} GiB at most",
            reference=f"the rows opened whole: {against:.2f} GiB",
            ours_seconds=one["seconds"],
            reference_seconds=whole["seconds"],
            ratio=one["seconds"] / whole["seconds"],
            runs=1,
        )


def _measured(folder, *, way):
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks._training_memory", str(folder), way],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def _train(folder, way):
    """Train once and print what it took; this is the process that is measured."""
    import time
    from datetime import UTC, datetime

    from ordinis_learn.records import DatasetManifest, tree_sha256
    from ordinis_learn.testing.tracker import InMemoryTracker
    from ordinis_learn.training import Provenance, TrainConfig, _plots, _xgboost, train_model  # noqa: F401  what every way imports
    from ordinis_learn.training.rows import open_rows, takes_bytes

    peak = _Peak()
    peak.start()
    found = {}
    if way != "imports":
        manifest = DatasetManifest.model_validate_json((folder / "manifest.json").read_bytes())
        config = TrainConfig(name="bench", dataset=manifest.ref, folds=0, rounds=30, threads=2)
        memory_gb = WAYS[way] or takes_bytes(manifest, streamed=True) / 2**30
        scratch = folder / way
        scratch.mkdir()
        start = time.perf_counter()
        rows = open_rows(manifest, config=config, root=folder, memory_gb=memory_gb)
        trained = train_model(
            config,
            manifest=manifest,
            table=rows,
            tracker=InMemoryTracker(scratch / "runs"),
            provenance=Provenance(code_commit="", code_dirty=False, dirty_patch="", env_hash="0" * 64),
            datasets_root=folder,
            scratch=scratch,
            min_samples=1,
            trainer="bench",
            clock=lambda: datetime.now(UTC),
        )
        found = {"seconds": time.perf_counter() - start, "sha256": tree_sha256(trained.bundle)}
    print(json.dumps(found | {"peak_gib": peak.stop() / 2**20}))


class _Peak(threading.Thread):
    """The most memory of its own that this process held, sampled.

    What the kernel keeps as a peak counts mapped files too, which it gives up when somebody needs the room, and
    ``ru_maxrss`` the process that started this one as well.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.kib = 0
        self._ended = threading.Event()

    def run(self):
        while not self._ended.wait(0.002):
            self.kib = max(self.kib, self._now())

    def stop(self):
        self._ended.set()
        self.join()
        return max(self.kib, self._now())

    @staticmethod
    def _now():
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))


if __name__ == "__main__":
    _train(Path(sys.argv[1]), sys.argv[2])
