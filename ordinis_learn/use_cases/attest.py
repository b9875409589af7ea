"""What is made becomes evidence: registered or attached, signed by the service, and remembered in the catalogue."""

from __future__ import annotations

from ordinis_learn.records import ModelArtifact, Scorecard
from ordinis_learn.rollout.tags import TRAINING_TAG, scorecard_tag
from ordinis_learn.use_cases.sign import reference, submit
from ordinis_learn.workbench import Workbench

__all__ = ["attach_scorecard", "register_artifact"]


def register_artifact(bench: Workbench, artifact: ModelArtifact, *, model_uri: str) -> ModelArtifact:
    """Register a logged model as a CANDIDATE with its training statement; return it with its version."""
    registered = bench.registry.register(artifact, model_uri=model_uri)
    submit(bench, "training", key=TRAINING_TAG, subject=reference(registered), predicate=registered)
    bench.catalogue.add_artifact(registered)
    return registered


def attach_scorecard(bench: Workbench, artifact: ModelArtifact, scorecard: Scorecard) -> None:
    """Attach a signed scorecard to its version."""
    key = scorecard_tag(scorecard.pack_id)
    submit(bench, "scorecard", key=key, subject=reference(artifact), predicate=scorecard)
    bench.catalogue.add_scorecard(artifact.artifact_id, scorecard)
