"""Judge a version by what it is: prices for a signal model, questions for a prompt pack and for an embedding model."""

from __future__ import annotations

from ordinis_learn.evaluation.purging import Overlap
from ordinis_learn.records import ModelType, Scorecard
from ordinis_learn.use_cases.evaluate import CALIBRATIONS, evaluate
from ordinis_learn.use_cases.evaluate_answers import evaluate_answers
from ordinis_learn.use_cases.evaluate_embedding import evaluate_embedding
from ordinis_learn.workbench import Workbench

__all__ = ["judge"]


def judge(
    bench: Workbench,
    artifact_id: str,
    pack_id: str,
    *,
    overlap: Overlap = "purge",
    calibrations: int = CALIBRATIONS,
) -> Scorecard:
    """Score an artifact on a pack of its kind and attach the signed scorecard to its version.

    ``overlap`` and ``calibrations`` are for signal models.

    Raises
    ------
    ArtifactMissing, BenchDataMissing
        Subject or pack is not there.
    """
    artifact = bench.catalogue.artifact(artifact_id)
    if artifact.model_type is ModelType.PROMPT_PACK:
        return evaluate_answers(bench, artifact, pack_id)
    if artifact.model_type is ModelType.EMBED_MODEL:
        return evaluate_embedding(bench, artifact, pack_id)
    return evaluate(bench, artifact_id, pack_id, overlap=overlap, calibrations=calibrations)
