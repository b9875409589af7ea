"""Check what a language model has answered lately against what it answered before."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from typing import Final

from ordinis_learn.answers import AnswerSource, RecordedAnswer, RecordedAnswers
from ordinis_learn.drift import (
    AnswerReference,
    DependenceUnit,
    check_answers,
    load_answer_reference,
    save_answer_reference,
    summarise_answers,
)
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.models import EncoderSpec, open_encoder
from ordinis_learn.records import DriftReport, ModelType, hash_of
from ordinis_learn.use_cases.alerting import remember
from ordinis_learn.use_cases.drift import ALPHA
from ordinis_learn.use_cases.drift_runs import log_text_check
from ordinis_learn.use_cases.measure_recorded import read_span
from ordinis_learn.workbench import Workbench

__all__ = ["check_answer_drift"]

_NGRAMS: Final = EncoderSpec(kind="ngrams", dimensions=512)
_UNVERSIONED: Final = "recorded"
"""Stands for the version of a model that no prompt pack of ours asked: its events name none."""

Span = tuple[date, date]


def check_answer_drift(
    bench: Workbench,
    name: str,
    *,
    reference: Span,
    start: date,
    end: date,
    unit: DependenceUnit = "session",
    seed: int = 7,
    session: date | None = None,
) -> DriftReport:
    """Compare answers from ``start`` to ``end`` with those of an earlier span, once.

    The summary of the earlier span is made once and kept in ``data/drift/references/`` (counts and vectors, no texts): it
    outlives the events. The report is remembered with what the response policy makes of it, then logged as a run; a critical
    finding blocks promotions of the prompt pack. The same window is not checked twice: its report is returned.

    Parameters
    ----------
    name : str
        A prompt pack as the events name it (``models:/cortex/3``), whatever models it asked; a model; or one model's answers to a
        pack as ``MODEL@PACK``.
    reference : two dates
        First and last UTC day of the earlier span.
    session : date, optional
        The day that a daily check is for; its breaches open alerts once they persist.

    Raises
    ------
    ConfigInvalid
        The spans overlap, or the name fits no source or several.
    DataMissing
        No answers in a span, or a reference of fewer than 20 days.
    """
    asked = f"check the answers of {name} from {start} to {end}"
    _require_earlier(reference, start=start, asked=asked)
    recorded = read_span(bench, start=start, end=end)
    source, answers = _named(recorded, name, asked=asked)
    window = (*reference, start, end, unit)
    by_hand = _identity(source, "check", *window)
    daily = _identity(source, "daily check", *window)
    identity = by_hand if session is None else daily
    known = bench.alerts.check(identity) or (bench.alerts.check(daily) if session is None else None)
    if known is not None:
        return known
    kept = _reference(bench, name, source=source, span=reference)
    subject, version = _subject(source)
    made = check_answers(
        kept,
        answers,
        encoder=open_encoder(kept.encoder),
        name=subject,
        version=version,
        unit=unit,
        psi_floor=bench.settings.learn_drift_psi_thresh,
        alpha=ALPHA,
        seed=seed,
        clock=bench.clock,
    )
    kind = ModelType.PROMPT_PACK if source.prompt_pack else None
    report = remember(bench, made, model_type=kind, identity=identity, session=session)
    if report == made:  # else another process was first, and logs its own
        log_text_check(bench, report, identity=identity)
    return report


def _require_earlier(reference: Span, *, start: date, asked: str) -> None:
    if reference[1] >= start:
        raise ConfigInvalid(
            asked,
            found=f"a reference that lasts until {reference[1]}",
            next_step="end the reference before the days that are checked begin",
        )


def _named(
    recorded: RecordedAnswers, name: str, *, asked: str
) -> tuple[AnswerSource, tuple[RecordedAnswer, ...]]:
    """Return a pack's answers by whatever models, or those of the one source that the name fits."""
    sources = recorded.sources()
    of_pack = [one for one in sources if one.prompt_pack == name]
    if name and of_pack:
        answers = (answer for one in of_pack for answer in recorded.of(one))
        return AnswerSource("", name), tuple(sorted(answers, key=lambda answer: answer.moment))
    fits = [one for one in sources if name in {one.model, f"{one.model}@{one.prompt_pack}"}]
    if len(fits) == 1:
        return fits[0], recorded.of(fits[0])
    there = ", ".join(f"{one.model}@{one.prompt_pack}" for one in sources)
    raise ConfigInvalid(
        asked,
        found=f"{len(fits) or 'no'} sources of that name; there are {there or 'none'}",
        next_step="name one of them whole, as MODEL@PACK",
    )


def _reference(bench: Workbench, name: str, *, source: AnswerSource, span: Span) -> AnswerReference:
    made_from = _identity(source, "reference", *span)
    path = bench.settings.drift_dir / "references" / f"answers-{made_from[:32]}.safetensors"
    kept = load_answer_reference(path)
    if kept is not None:
        return kept
    asked = f"summarise the answers of {name} from {span[0]} to {span[1]}"
    _, answers = _named(read_span(bench, start=span[0], end=span[1]), name, asked=asked)
    encoder = open_encoder(
        EncoderSpec(kind="wordllama", dimensions=256) if find_spec("wordllama") else _NGRAMS
    )
    made = summarise_answers(answers, source=source, encoder=encoder)
    save_answer_reference(made, path)
    return made


def _identity(source: AnswerSource, what: str, *about: date | str) -> str:
    """Return what makes a reference this reference, and a check this check."""
    return hash_of(
        [source.model, source.prompt_pack, what, *map(str, about)], domain="ordinis.drift.answers.v1"
    )


def _subject(source: AnswerSource) -> tuple[str, str]:
    """Return the name and version that the report is about: the pack's where there is one."""
    kind, _, rest = source.prompt_pack.partition(":/")
    name, _, version = rest.rpartition("/")
    return (name, version) if kind == "models" and name else (source.model, _UNVERSIONED)
