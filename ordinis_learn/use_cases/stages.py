"""What every step of the loop has in common: a span in the trace of what it goes on from, and a mark where it failed.

The steps run in processes that know nothing of each other, days apart. Each one keeps where it was in the catalogue, under
the dataset or artifact that it made, and the next one goes on from there: one trace from the events to the rollout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataMissing, LearnError
from ordinis_learn.observability import tracing
from ordinis_learn.observability.tracing import Attributes
from ordinis_learn.records import DriftReport, ModelArtifact, ModelType, Scorecard
from ordinis_learn.workbench import Workbench

__all__ = [
    "Made",
    "Work",
    "artifact_subject",
    "asked_of_artifact",
    "asked_of_model",
    "asked_to_evaluate",
    "asked_to_train",
    "asked_to_tune",
    "dataset_subject",
    "made_artifact",
    "made_decision",
    "made_report",
    "made_scorecard",
    "stage",
]

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")
UNKNOWN: Final = "unknown"
"""The label of a model that no artifact tells the type of, and of a pack that is not there."""
_COUNTED: Final = frozenset({"train", "evaluate", "drift"})
"""Steps whose failures leave no other record that stays."""
_MISTYPED: Final = (ArtifactMissing, ConfigInvalid)
"""What was asked for does not exist: nothing has failed."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a step was asked to do.

    Attributes
    ----------
    subject : str
        The model, dataset or artifact it is about.
    label : str
        What its failures count under: a model type, a pack.
    follows : str
        The subject whose trace it goes on with; empty for none.
    parent : str or None
        Or a ``traceparent`` to go on from, where ``follows`` has none.
    links : tuple of str
        Traces of what it was made from.
    attributes : mapping
    mistyped : bool
        It named something that does not exist: nothing has failed.
    """

    subject: str
    label: str = ""
    follows: str = ""
    parent: str | None = None
    links: tuple[str, ...] = ()
    attributes: Attributes = field(default_factory=dict)
    mistyped: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of it; ``subject`` is what later steps follow, empty where nothing new is there."""

    subject: str = ""
    attributes: Attributes = field(default_factory=dict)


def dataset_subject(ref: str) -> str:
    """Return the name under which a dataset's trace is kept; ``ref`` is ``dataset_id@version``."""
    return f"dataset:{ref}"


def artifact_subject(artifact_id: str) -> str:
    """Return the name under which an artifact's trace is kept."""
    return f"artifact:{artifact_id}"


def stage(
    verb: str, *, asked: Callable[..., Work], made: Callable[[Any], Made] = lambda _: Made()
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a use case a step of the loop.

    Parameters
    ----------
    verb : str
        The span is called ``learn.`` and this.
    asked : callable
        Takes what the use case takes, first of all the workbench; says what it was asked. Where it raises a
        LearnError the span is left without that; the use case will raise its own.
    made : callable
        Takes what the use case returns.
    """

    def decorate(use_case: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(use_case)
        def step(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            bench = cast("Workbench", args[0])
            try:
                if not tracing.is_on():
                    return use_case(*args, **kwargs)
                work = _quietly(lambda: asked(*args, **kwargs), otherwise=Work(subject=""))
                return _traced(bench, verb, work, made, lambda: use_case(*args, **kwargs))
            except LearnError as error:
                if verb in _COUNTED and not isinstance(error, _MISTYPED):
                    _mark(bench, verb, lambda: asked(*args, **kwargs), error)
                raise

        return step

    return decorate


def _traced(
    bench: Workbench, verb: str, work: Work, made: Callable[[Any], Made], use_case: Callable[[], _R]
) -> _R:
    kept = _quietly(lambda: bench.catalogue.trace_of(work.follows), otherwise=None) if work.follows else None
    with tracing.span(
        f"learn.{verb}",
        parent=kept or work.parent,
        links=work.links,
        attributes={"ordinis.subject": work.subject, **work.attributes},
    ) as opened:
        result = use_case()
        found = made(result)
        opened.set_attributes(found.attributes)
        here = tracing.traceparent()
        if found.subject and here is not None:
            _quietly(lambda: bench.catalogue.keep_trace(found.subject, here), otherwise=None)
        return result


def _quietly(look: Callable[[], _R], *, otherwise: _R) -> _R:
    """Look something up for a span alone; that it cannot be had must not stop the work, least of all a rollback."""
    try:
        return look()
    except LearnError as error:
        _log.warning("the trace is incomplete: %s", error)
        return otherwise


def _mark(bench: Workbench, verb: str, asked: Callable[[], Work], error: LearnError) -> None:
    """Count a failure; where even that cannot be written, the error says so beside its own message."""
    try:
        work = asked()
        if work.mistyped:
            return
        bench.catalogue.add_failure(
            verb, label=work.label, subject=work.subject, code=error.code, found=error.found
        )
    except LearnError as unwritten:
        error.add_note(f"and the failure could not be counted: {unwritten.found}")


def asked_to_train(bench: Workbench, config: Any, **_: Any) -> Work:
    """Say what a training was asked: it goes on from its dataset, which may be named by its id alone."""
    ref = getattr(config, "dataset", None)
    known = None
    if ref is not None:
        with suppress(DataMissing):
            known = bench.catalogue.dataset(ref).ref
    return Work(
        subject=config.name,
        label=config.model_type,
        follows="" if known is None else dataset_subject(known),
        attributes={"ordinis.config_hash": config.content_hash(), "ordinis.dataset": known or ""},
        mistyped=ref is not None and known is None,
    )


def asked_to_tune(bench: Workbench, config: Any, **_: Any) -> Work:
    """Say what a search for a pack's examples was asked."""
    return Work(
        subject=config.name,
        label=ModelType.PROMPT_PACK,
        attributes={"ordinis.config_hash": config.content_hash(), "ordinis.pack": config.questions},
        mistyped=not (bench.settings.bench_dir / config.questions).is_dir(),
    )


def made_artifact(artifact: ModelArtifact) -> Made:
    """Say what a training made."""
    return Made(
        subject=artifact_subject(artifact.artifact_id),
        attributes={
            "ordinis.artifact_id": artifact.artifact_id,
            "ordinis.artifact_sha256": artifact.artifact_sha256,
            "ordinis.version": artifact.version,
            "ordinis.run_id": artifact.run_id or "",
        },
    )


def asked_to_evaluate(bench: Workbench, artifact: ModelArtifact | str, pack_id: str, **_: Any) -> Work:
    """Say what an evaluation was asked; failures on packs that there are not share one label, or a typing error makes a series."""
    known = (bench.settings.bench_dir / pack_id).is_dir()
    artifact_id = artifact if isinstance(artifact, str) else artifact.artifact_id
    return Work(
        subject=artifact_id,
        label=pack_id if known else UNKNOWN,
        follows=artifact_subject(artifact_id),
        attributes={"ordinis.pack": pack_id},
    )


def made_scorecard(scorecard: Scorecard) -> Made:
    """Say what an evaluation made."""
    return Made(attributes={"ordinis.scorecard_hash": scorecard.content_hash()})


def asked_of_artifact(
    bench: Workbench, artifact_id: str, target: Mapping[str, Any] | None = None, **_: Any
) -> Work:
    """Say what was asked of an artifact."""
    del bench
    asked = "rollback" if "rollback" in (target or {}) else str((target or {}).get("stage", ""))
    return Work(
        subject=artifact_id,
        follows=artifact_subject(artifact_id),
        attributes={"ordinis.target": asked} if asked else {},
    )


def made_decision(result: Mapping[str, Any]) -> Made:
    """Say what a rollout came to; a refusal is an error with its code."""
    decision = result.get("decision") or {}
    named = {"ordinis.code": "code", "ordinis.evidence_hash": "evidence_hash"}
    return Made(attributes={key: str(decision[field]) for key, field in named.items() if field in decision})


def asked_of_model(bench: Workbench, name: str, *, version: str | None = None, **_: Any) -> Work:
    """Say what was asked of a model's version, the ACTIVE one where none is named."""
    chosen = version or bench.registry.active_version(name)
    known = [one for one in bench.catalogue.artifacts(name) if one.version == chosen]
    if not known:
        return Work(subject=name, label=UNKNOWN)
    return Work(
        subject=name,
        label=known[-1].model_type,
        follows=artifact_subject(known[-1].artifact_id),
        attributes={"ordinis.version": known[-1].version},
    )


def made_report(report: DriftReport) -> Made:
    """Say what a drift check found."""
    return Made(
        attributes={
            "ordinis.report_hash": report.content_hash(),
            "ordinis.breached": report.breached,
            "ordinis.findings": len(report.findings),
        }
    )
