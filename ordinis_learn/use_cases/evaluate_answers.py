"""Judge a prompt pack on a question pack: ask, judge each answer, compare with the incumbent's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ordinis_learn.answers import (
    MIN_ITEMS,
    Answer,
    Outcome,
    OutputSchema,
    QuestionPack,
    answer_scorecard,
    judge_answer,
    load_questions,
    unseen_questions,
)
from ordinis_learn.errors import ConfigInvalid, EvalFailed, LlmRejected
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.llm import ChatAnswer, ChatModel, ChatRequest, ask_all
from ordinis_learn.prompts import PromptPack, chat_request, load_prompt_pack
from ordinis_learn.records import ModelArtifact, Question, Scorecard
from ordinis_learn.use_cases.attest import attach_scorecard
from ordinis_learn.use_cases.chat_model import chat_model, refusal_detector
from ordinis_learn.use_cases.find import earlier_versions, find_incumbent
from ordinis_learn.use_cases.sign import reference
from ordinis_learn.use_cases.stages import asked_to_evaluate, made_scorecard, stage
from ordinis_learn.workbench import Workbench

__all__ = ["DOCUMENTS", "answer_questions", "evaluate_answers"]

DOCUMENTS = "documents"
"""A task that declares this variable gets the question's documents in it, each with its doc_id and locator."""


@stage("evaluate", asked=asked_to_evaluate, made=made_scorecard)
def evaluate_answers(
    bench: Workbench,
    artifact: ModelArtifact,
    pack_id: str,
    *,
    seed: int = 7,
    model: ChatModel | None = None,
    detector: RefusalDetector | None = None,
) -> Scorecard:
    """Ask subject and incumbent the same questions, and attach the signed scorecard to the subject's version.

    Parameters
    ----------
    model : ChatModel, optional
        Who answers; default is what the settings name (``LEARN_LLM_URL``, ``LEARN_LLM_CASSETTE``).
    detector : RefusalDetector, optional
        Default: patterns, and static embeddings where the extra ``llm`` is installed.

    Raises
    ------
    BenchDataMissing
        No such question pack.
    EvalFailed
        Too few questions are left that the pack's examples were not tuned on.
    ConfigInvalid
        A question is for a task, or needs a variable, that the pack has not.
    LlmUnavailable, CostCapReached, CassetteMissing
        No answer to be had; what was answered is recorded where a cassette is set.
    """
    own = load_prompt_pack(bench.registry.local_path(artifact.name, artifact.version))
    questions, tuned_on = _judged_by(own, load_questions(bench.settings.bench_dir, pack_id))
    asked, judge = model or chat_model(bench.settings), detector or refusal_detector()
    known = find_incumbent(bench, artifact)
    concurrency = bench.settings.learn_llm_concurrency
    with bench.tracker.start_run(f"evaluate {artifact.name} v{artifact.version} on {pack_id}") as run:
        outcomes = answer_questions(own, questions, model=asked, detector=judge, concurrency=concurrency)
        baseline = None
        if known is not None:
            theirs = load_prompt_pack(bench.registry.local_path(known.name, known.version))
            baseline = answer_questions(
                theirs, questions, model=asked, detector=judge, concurrency=concurrency
            )
        scorecard = answer_scorecard(
            outcomes,
            baseline,
            pack=questions,
            subject_ref=reference(artifact),
            baseline_ref=None if known is None else reference(known),
            artifact=artifact,
            seed=seed,
            clock=bench.clock,
            code_commit=bench.provenance().code_commit,
            earlier_trials=sum(one.trials for one in earlier_versions(bench, artifact)),
            tuned_on=tuned_on,
        )
        run.log_metrics({name: value for name, value in scorecard.metrics.items() if value is not None})
        run.set_tags({"ordinis.pack": pack_id, "ordinis.pack_hash": scorecard.pack_hash})
        run.log_json(scorecard.to_json(), path="scorecard.json")
    attach_scorecard(bench, artifact, scorecard)
    return scorecard


def _judged_by(own: PromptPack, questions: QuestionPack) -> tuple[QuestionPack, tuple[str, ...]]:
    """Return the questions that the pack's examples were not tuned on, and the ids of the others.

    Raises
    ------
    EvalFailed
        Fewer are left than a difference of eight points takes.
    """
    if own.tuning is None:
        return questions, ()
    unseen = unseen_questions(questions.items, seen=own.tuning.seen)
    if len(unseen.items) < MIN_ITEMS:
        raise EvalFailed(
            f"judge on the question pack {questions.manifest.pack_id!r}",
            found=f"{len(unseen.items)} questions are left after the {len(unseen.left_out)} that its examples were tuned on "
            f"or that lean on their documents; {MIN_ITEMS} are needed",
            next_step="judge on another pack, or draw a larger one and tune again",
        )
    return replace(questions, items=unseen.items), unseen.left_out


def answer_questions(
    pack: PromptPack,
    questions: QuestionPack,
    *,
    model: ChatModel,
    detector: RefusalDetector,
    concurrency: int,
) -> list[Outcome]:
    """Ask every question with one pack; return the judged answers in the order of the questions."""
    requests = [_request(pack, item) for item in questions.items]
    answers: dict[str, Answer] = {}
    distinct = {request.request_hash(): request for request in requests}

    def keep(request: ChatRequest, answer: ChatAnswer | LlmRejected) -> None:
        answers[request.request_hash()] = _as_answer(answer)

    ask_all(model, list(distinct.values()), concurrency=concurrency, keep=keep)
    schemas = {name: OutputSchema(task.output_schema) for name, task in pack.tasks.items()}
    return [
        judge_answer(
            item,
            answers[request.request_hash()],
            prompt=request.messages[-1].content,
            schema=schemas[item.task],
            detector=detector,
        )
        for item, request in zip(questions.items, requests, strict=True)
    ]


def _request(pack: PromptPack, item: Question) -> ChatRequest:
    variables: Mapping[str, str] = {name: str(value) for name, value in item.variables.items()}
    task = pack.tasks.get(item.task)
    if task is not None and DOCUMENTS in task.variables and DOCUMENTS not in variables:
        variables = {**variables, DOCUMENTS: _documents(item)}
    try:
        return chat_request(pack, item.task, variables)
    except ConfigInvalid as error:
        raise ConfigInvalid(
            f"ask question {item.item_id!r}",
            found=f"{error.asked}: {error.found}",
            next_step="evaluate on a question pack that was drawn for this pack's tasks and variables",
        ) from error


def _documents(item: Question) -> str:
    return "\n\n".join(
        f"[doc_id: {document.doc_id}; locator: {document.locator or 'all'}]\n{document.text or '(text not supplied)'}"
        for document in item.documents
    )


def _as_answer(answer: ChatAnswer | LlmRejected) -> Answer:
    if isinstance(answer, LlmRejected):
        return Answer(error=answer.found)
    return Answer(
        text=answer.text,
        latency_ms=answer.latency_ms,
        refusal=answer.refusal,
        prompt_tokens=_counted(answer.prompt_tokens),
        completion_tokens=_counted(answer.completion_tokens),
    )


def _counted(tokens: int | None) -> float:
    return math.nan if tokens is None else float(tokens)
