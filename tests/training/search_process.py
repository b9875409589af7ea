"""A search in a process of its own, to be killed: ``python search_process.py FOLDER JSON``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ordinis_learn.records import tree_sha256
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import Provenance, TrainConfig, train_model
from ordinis_learn.training.claims import ClaimRules
from ordinis_learn.training.search import StudyPlace
from tests.training.conftest import make_manifest, make_table


def main(folder, asked):
    """Train; print the bundle's hash, the trials that travel with it, and those that were run here."""
    folder.mkdir()
    table = make_table(signal=0.02, sessions=asked.pop("sessions", 400))
    tracker = InMemoryTracker(folder / "tracked")
    place = StudyPlace(
        journal=Path(asked.pop("journal", folder / "study.log")),
        url=asked.pop("url", None),
        rules=ClaimRules(beat_s=0.2, stale_after_s=asked.pop("stale_after_s", 30.0), poll_s=0.05),
    )
    trained = train_model(
        TrainConfig.model_validate(asked),
        manifest=make_manifest(table),
        table=table,
        tracker=tracker,
        provenance=Provenance(code_commit="c0ffee", code_dirty=False, dirty_patch="", env_hash="11" * 32),
        datasets_root=folder / "datasets",
        scratch=folder,
        min_samples=100,
        trainer="ada",
        clock=lambda: datetime(2026, 5, 4, tzinfo=UTC),
        place=place,
    )
    trained.conclude()
    ran = sum("ordinis.trial" in run.tags for run in tracker.runs)
    sys.stdout.write(
        json.dumps({"sha256": tree_sha256(trained.bundle), "trials": trained.artifact.trials, "ran": ran})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
