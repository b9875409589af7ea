"""A prompt pack beside the active one, on the requests that the active one answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from ordinis_learn.answers import (
    Answer,
    Outcome,
    OutputSchema,
    RecordedAnswer,
    judge_answer,
    read_documents,
    read_recorded,
)
from ordinis_learn.errors import CassetteMissing, DataCorrupt, DataMissing, LlmRejected
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.evaluation.confidence_sequence import confidence_sequence
from ordinis_learn.llm import ChatAnswer, ChatModel, ChatRequest, ask_all
from ordinis_learn.llm.cassette import Cassette
from ordinis_learn.ports import Clock
from ordinis_learn.prompts import PromptPack, chat_request, load_prompt_pack
from ordinis_learn.records import (
    Interval,
    ModelArtifact,
    ModelRef,
    Question,
    ShadowAnswers,
    ShadowReport,
    Topic,
    file_sha256,
)
from ordinis_learn.rollout.shadow import ALPHA
from ordinis_learn.rollout.shadow_files import shadow_file, write_predictions
from ordinis_learn.rollout.tags import SHADOW_TAG
from ordinis_learn.shadow.answers import PairedRequest, answer_losses, compare_requests
from ordinis_learn.use_cases.chat_model import chat_model, refusal_detector
from ordinis_learn.use_cases.evaluate_answers import DOCUMENTS
from ordinis_learn.use_cases.find import find_incumbent
from ordinis_learn.use_cases.sign import reference, submit
from ordinis_learn.workbench import Workbench

__all__ = ["ask_requests", "report_answers"]


def ask_requests(
    bench: Workbench,
    artifact: ModelArtifact,
    *,
    documents: Path | None = None,
    model: ChatModel | None = None,
) -> tuple[int, int]:
    """Ask a pack what the active one was asked and it has not answered; return how many requests it has, and how many it cannot have.

    Each answer is kept in a file of its own as it comes, the first one counts, and a run that was cut off goes on with what is
    missing. A request can be asked again where its query was recorded and its documents are told (``documents``, JSON
    lines of ``{doc_id, locator, text}``) or its task reads none.

    Raises
    ------
    DataMissing
        No pack is active, or it has answered nothing.
    LlmUnavailable, CostCapReached, CassetteMissing
        No answer to be had; what was answered is kept.
    """
    desk = _Desk(bench, artifact, documents=documents)
    asked = [desk.again(one.question) for one in desk.active if one.request not in desk.candidate]
    requests = list({one.request_hash(): one for one in asked if one is not None}.values())
    cassette = Cassette(model or chat_model(bench.settings), folder=desk.folder, mode="auto")
    ask_all(cassette, requests, concurrency=bench.settings.learn_llm_concurrency, keep=_kept_already)
    return sum(one is not None for one in asked), sum(one is None for one in asked)


def report_answers(
    bench: Workbench, artifact: ModelArtifact, *, documents: Path | None = None
) -> ShadowReport:
    """Compare a pack with the active one on the same requests, sign the report and attach it to the version.

    ``documents`` are those that the requests were asked with.

    Raises
    ------
    DataMissing
        No pack is active, it has answered nothing, or the candidate has no answer to any of its requests.
    """
    desk = _Desk(bench, artifact, documents=documents)
    pairs = desk.pairs()
    found = compare_requests(pairs)
    if not found.paired:
        raise DataMissing(
            f"compare {artifact.name} {artifact.version} with version {desk.incumbent.version}",
            found=f"{found.requests} requests, none of them answered by both",
            next_step=f"ordinis-learn shadow run {artifact.name} {artifact.version}",
        )
    written = write_predictions(
        _table(pairs), folder=bench.settings.shadow_dir, name=artifact.name, version=artifact.version
    )
    report = _report(
        pairs,
        found,
        subject=reference(artifact),
        active=reference(desk.incumbent),
        predictions_sha256=file_sha256(written),
        clock=bench.clock,
    )
    submit(bench, "shadow", key=SHADOW_TAG, subject=reference(artifact), predicate=report)
    return report


def _report(
    pairs: Sequence[PairedRequest],
    found: ShadowAnswers,
    *,
    subject: ModelRef,
    active: ModelRef,
    predictions_sha256: str,
    clock: Clock,
) -> ShadowReport:
    losses = answer_losses(pairs)
    sequence = confidence_sequence(losses, low=-1.0, high=1.0, alpha=ALPHA)
    low, high = float(sequence.lower[-1]), float(sequence.upper[-1])
    first, last = (_midnight(of(one.moment for one in pairs)) for of in (min, max))
    mine = [one.candidate for one in pairs if one.candidate is not None]
    return ShadowReport(
        subject=subject,
        active=active,
        start=first,
        end=last,
        calendar_days=(last - first).days,
        sessions=len({one.moment.date() for one in pairs}),
        decisions=len(mine),
        paired_decisions=found.paired,
        unpaired=found.unpaired,
        errors=sum(one.failed for one in mine),
        nan_predictions=0,
        matured=found.paired,
        parity_max_abs_diff=np.nan,
        latency_ms_p50=found.candidate["latency_ms_p50"],
        latency_ms_p95=found.candidate["latency_ms_p95"],
        loss_difference=float(losses.mean()),
        loss_interval=Interval(low=low, high=high, level=1.0 - ALPHA),
        predictions_sha256=predictions_sha256,
        created_at=clock(),
        answers=found,
    )


class _Desk:
    """The answers of both packs as the log has them, by request, and the candidate's way to answer one again."""

    def __init__(self, bench: Workbench, artifact: ModelArtifact, *, documents: Path | None) -> None:
        incumbent = find_incumbent(bench, artifact)
        if incumbent is None:
            raise DataMissing(
                f"run {artifact.name} {artifact.version} on the requests of the active pack",
                found="no other version to beat",
                next_step=f"ordinis-learn evaluate {artifact.name} {artifact.version} --pack PACK",
            )
        self.incumbent = incumbent
        self.folder = shadow_file(
            bench.settings.shadow_dir, name=artifact.name, version=artifact.version, suffix=".answers"
        )
        self._pack = _pack(bench, artifact)
        self._texts = {} if documents is None else read_documents(documents)
        self._detector = refusal_detector()
        packs = {_uri(artifact): self._pack, _uri(incumbent): _pack(bench, incumbent)}
        answers = _recorded(bench, packs=packs, detector=self._detector)
        registered = _registered(artifact)
        answered = _first_by_request(answers, _uri(incumbent))
        # What was asked before there was this version may have shaped it: no shadow, however often it is asked again.
        self.active = [one for one in answered if one.moment >= registered]
        self.candidate = {one.request: one.outcome for one in _first_by_request(answers, _uri(artifact))}
        if not self.active:
            raise _no_requests(artifact, incumbent, earlier=len(answered))

    def pairs(self) -> list[PairedRequest]:
        """Pair each request of the active pack with the candidate's answer: recorded, else asked, else none."""
        kept = Cassette(None, folder=self.folder, mode="replay")
        return [
            PairedRequest(
                request=one.request,
                moment=one.moment,
                active=one.outcome,
                candidate=self.candidate.get(one.request) or self._asked(one.question, kept),
                recorded=one.request in self.candidate,
            )
            for one in self.active
        ]

    def again(self, question: Question) -> ChatRequest | None:
        """Return the candidate's request about a recorded question; None where not everything that it reads is known."""
        task = self._pack.tasks.get(question.task)
        if task is None:
            return None
        names = [name for name in task.variables if name != DOCUMENTS]
        query = str(question.variables.get("query", ""))
        if len(names) != 1 or not query:
            return None
        variables = {names[0]: query}
        if DOCUMENTS in task.variables:
            texts = [self._texts.get((one.doc_id, one.locator)) for one in question.documents]
            if not texts or None in texts:
                return None
            variables[DOCUMENTS] = _documents(question, self._texts)
        return chat_request(self._pack, question.task, variables)

    def _asked(self, question: Question, kept: Cassette) -> Outcome | None:
        request = self.again(question)
        if request is None:
            return None
        try:
            answer = kept.complete(request)
        except CassetteMissing:
            return None
        return judge_answer(
            question,
            _as_answer(answer),
            prompt=str(question.variables["query"]),
            schema=OutputSchema(self._pack.tasks[question.task].output_schema),
            detector=self._detector,
        )


def _registered(artifact: ModelArtifact) -> datetime:
    """Return when a version was registered; DataCorrupt where its record does not say that as a moment in some zone."""
    try:
        moment = datetime.fromisoformat(artifact.created_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise DataCorrupt(
            f"tell which requests came after {artifact.name} {artifact.version} was registered",
            found=f"its record says {artifact.created_at!r}, which is no moment with a time zone",
            next_step="register the pack again with ordinis-learn prompts register, and run that version in shadow",
        )
    return moment


def _no_requests(artifact: ModelArtifact, incumbent: ModelArtifact, *, earlier: int) -> DataMissing:
    found = f"no {Topic.AI_RESPONSE} event names {_uri(incumbent)} in output.prompt_pack"
    if earlier:
        found = (
            f"{earlier} answers, all to requests from before {artifact.created_at}, when it was registered"
        )
    return DataMissing(
        f"run {artifact.name} {artifact.version} on the requests of version {incumbent.version}",
        found=found,
        next_step="record the active pack's answers from now on; docs/prompt-packs.md says what an event tells",
    )


def _recorded(
    bench: Workbench, *, packs: Mapping[str, PromptPack], detector: RefusalDetector
) -> Sequence[RecordedAnswer]:
    def schema_of(uri: str, task: str) -> OutputSchema | None:
        pack = packs.get(uri)
        return (
            OutputSchema(pack.tasks[task].output_schema) if pack is not None and task in pack.tasks else None
        )

    position = bench.log.position()
    responses, refusals = (
        bench.log.scan(topic, until_position=position) for topic in (Topic.AI_RESPONSE, Topic.AI_REFUSAL)
    )
    return read_recorded(responses, refusals, schema_of=schema_of, detector=detector).answers


def _first_by_request(answers: Sequence[RecordedAnswer], uri: str) -> list[RecordedAnswer]:
    """Return a pack's first answer to each request, whichever model gave it, oldest first."""
    first: dict[str, RecordedAnswer] = {}
    for one in answers:
        if one.source.prompt_pack == uri:
            first.setdefault(one.request, one)
    return list(first.values())


def _kept_already(request: ChatRequest, answer: ChatAnswer | LlmRejected) -> None:
    """Do nothing: the cassette keeps an answer; a rejected request stays without one."""
    del request, answer


def _pack(bench: Workbench, artifact: ModelArtifact) -> PromptPack:
    return load_prompt_pack(bench.registry.local_path(artifact.name, artifact.version))


def _uri(artifact: ModelArtifact) -> str:
    return f"models:/{artifact.name}/{artifact.version}"


def _documents(question: Question, texts: Mapping[tuple[str, str], str]) -> str:
    """Return the documents as an evaluation shows them to a pack."""
    return "\n\n".join(
        f"[doc_id: {one.doc_id}; locator: {one.locator or 'all'}]\n{texts[one.doc_id, one.locator]}"
        for one in question.documents
    )


def _as_answer(answer: ChatAnswer) -> Answer:
    return Answer(text=answer.text, latency_ms=answer.latency_ms, refusal=answer.refusal)


def _table(pairs: Sequence[PairedRequest]) -> pa.Table:
    sides: dict[str, list[Outcome | None]] = {
        "active": [one.active for one in pairs],
        "candidate": [one.candidate for one in pairs],
    }
    columns: dict[str, pa.Array] = {
        "request": pa.array([one.request for one in pairs], type=pa.string()),
        "moment": pa.array([one.moment for one in pairs], type=pa.timestamp("us", tz="UTC")),
        "recorded": pa.array([one.recorded for one in pairs], type=pa.bool_()),
    }
    for side, outcomes in sides.items():
        for name in ("valid", "refused", "failed"):
            values = [None if one is None else getattr(one, name) for one in outcomes]
            columns[f"{side}_{name}"] = pa.array(values, type=pa.bool_())
        latencies = [None if one is None else one.answer.latency_ms for one in outcomes]
        columns[f"{side}_latency_ms"] = pa.array(latencies, type=pa.float64())
    return pa.table(columns)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
