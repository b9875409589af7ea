"""Judge an embedding model on a question pack: search, measure, compare with the incumbent and with its own encoder."""

from __future__ import annotations

from ordinis_learn.answers import load_questions
from ordinis_learn.answers.retrieval_corpus import retrieval_corpus
from ordinis_learn.answers.retrieval_scorecard import retrieval_scorecard, search
from ordinis_learn.models import load_embedder
from ordinis_learn.records import ModelArtifact, Scorecard
from ordinis_learn.use_cases.attest import attach_scorecard
from ordinis_learn.use_cases.find import earlier_versions, find_incumbent
from ordinis_learn.use_cases.sign import reference
from ordinis_learn.use_cases.stages import asked_to_evaluate, made_scorecard, stage
from ordinis_learn.workbench import Workbench

__all__ = ["evaluate_embedding"]


@stage("evaluate", asked=asked_to_evaluate, made=made_scorecard)
def evaluate_embedding(
    bench: Workbench, artifact: ModelArtifact, pack_id: str, *, seed: int = 7
) -> Scorecard:
    """Search with subject, incumbent and encoder, and attach the signed scorecard to the subject's version.

    Questions that the subject was trained on are left out, for all three; having seen one only makes the incumbent
    harder to beat.

    Raises
    ------
    BenchDataMissing
        No such question pack.
    ConfigInvalid
        It cannot be told which variable of a question is the query, or an encoder's package is not installed.
    EvalFailed
        No question is left to judge on.
    """
    questions = load_questions(bench.settings.bench_dir, pack_id)
    subject = load_embedder(bench.registry.local_path(artifact.name, artifact.version))
    corpus = retrieval_corpus(questions, seen=subject.seen)
    known = find_incumbent(bench, artifact)
    with bench.tracker.start_run(f"evaluate {artifact.name} v{artifact.version} on {pack_id}") as run:
        baseline = None
        if known is not None:
            baseline = search(load_embedder(bench.registry.local_path(known.name, known.version)), corpus)
        scorecard = retrieval_scorecard(
            search(subject, corpus),
            baseline,
            encoder=search(subject.encoder, corpus),
            corpus=corpus,
            pack=questions,
            subject_ref=reference(artifact),
            baseline_ref=None if known is None else reference(known),
            artifact=artifact,
            seed=seed,
            clock=bench.clock,
            code_commit=bench.provenance().code_commit,
            earlier_trials=sum(one.trials for one in earlier_versions(bench, artifact)),
        )
        run.log_metrics({name: value for name, value in scorecard.metrics.items() if value is not None})
        run.log_metrics({f"delta_{name}": one.estimate for name, one in scorecard.differences.items()})
        run.set_tags({"ordinis.pack": pack_id, "ordinis.pack_hash": scorecard.pack_hash})
        run.log_json(scorecard.to_json(), path="scorecard.json")
    attach_scorecard(bench, artifact, scorecard)
    return scorecard
