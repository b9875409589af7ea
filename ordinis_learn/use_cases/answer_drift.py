"""Check what a language model has answered lately against what it answered before."""

from __future__ import annotations

import tempfile
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ordinis_learn.answers import AnswerSource, RecordedAnswers
from ordinis_learn.drift import (
    AnswerReference,
    DependenceUnit,
    alerts_for,
    check_answers,
    load_answer_reference,
    plot_history,
    save_answer_reference,
    summarise_answers,
)
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.models import EncoderSpec, open_encoder
from ordinis_learn.records import DriftReport, hash_of
from ordinis_learn.use_cases.drift import ALPHA
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
) -> DriftReport:
    """Compare one source's answers from ``start`` to ``end`` with its answers of an earlier span.

    The summary of the earlier span is made once and kept in ``data/drift/references/`` (counts and vectors, no texts): it
    outlives the events. The report and its alerts are remembered, logged as a run, and put in the outbox; a critical
    finding blocks promotions of the prompt pack.

    Parameters
    ----------
    name : str
        A prompt pack as the events name it (``models:/cortex/3``), a model, or both as ``MODEL@PACK``.
    reference : two dates
        First and last UTC day of the earlier span.

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
    source = _named(recorded, name, asked=asked)
    kept = _reference(bench, source, span=reference)
    subject, version = _subject(source)
    report = check_answers(
        kept,
        recorded.of(source),
        encoder=open_encoder(kept.encoder),
        name=subject,
        version=version,
        unit=unit,
        psi_floor=bench.settings.learn_drift_psi_thresh,
        alpha=ALPHA,
        seed=seed,
        clock=bench.clock,
    )
    _log(bench, report)
    bench.catalogue.add_drift(report, alerts_for(report))
    return report


def _require_earlier(reference: Span, *, start: date, asked: str) -> None:
    if reference[1] >= start:
        raise ConfigInvalid(
            asked,
            found=f"a reference that lasts until {reference[1]}",
            next_step="end the reference before the days that are checked begin",
        )


def _named(recorded: RecordedAnswers, name: str, *, asked: str) -> AnswerSource:
    fits = [
        one
        for one in recorded.sources()
        if name in {one.model, one.prompt_pack, f"{one.model}@{one.prompt_pack}"}
    ]
    if len(fits) == 1:
        return fits[0]
    there = ", ".join(f"{one.model}@{one.prompt_pack}" for one in recorded.sources())
    raise ConfigInvalid(
        asked,
        found=f"{len(fits) or 'no'} sources of that name; there are {there or 'none'}",
        next_step="name one of them whole, as MODEL@PACK",
    )


def _reference(bench: Workbench, source: AnswerSource, *, span: Span) -> AnswerReference:
    path = _path(bench, source, span=span)
    kept = load_answer_reference(path)
    if kept is not None:
        return kept
    answers = read_span(bench, start=span[0], end=span[1]).of(source)
    if not answers:
        raise DataMissing(
            f"summarise the answers of {source.model}@{source.prompt_pack}",
            found=f"it gave none from {span[0]} to {span[1]}",
            next_step="choose a reference span in which it answered",
        )
    encoder = open_encoder(
        EncoderSpec(kind="wordllama", dimensions=256) if find_spec("wordllama") else _NGRAMS
    )
    made = summarise_answers(answers, source=source, encoder=encoder)
    save_answer_reference(made, path)
    return made


def _path(bench: Workbench, source: AnswerSource, *, span: Span) -> Path:
    made_from = hash_of(
        [source.model, source.prompt_pack, span[0].isoformat(), span[1].isoformat()],
        domain="ordinis.drift.answers.v1",
    )
    return bench.settings.drift_dir / "references" / f"answers-{made_from[:32]}.safetensors"


def _subject(source: AnswerSource) -> tuple[str, str]:
    """Return the name and version that the report is about: the pack's where there is one."""
    kind, _, rest = source.prompt_pack.partition(":/")
    name, _, version = rest.rpartition("/")
    return (name, version) if kind == "models" and name else (source.model, _UNVERSIONED)


def _log(bench: Workbench, report: DriftReport) -> None:
    with bench.tracker.start_run(f"drift of the answers of {report.model} v{report.version}") as run:
        run.log_metrics({f"{f.metric}.{f.feature}": f.value for f in report.findings})
        run.set_tags({"ordinis.breached": str(report.breached).lower()})
        run.log_json(report.to_json(), path="drift.json")
        with tempfile.TemporaryDirectory(prefix="ordinis-drift-") as folder:
            for name, png in plot_history([*bench.catalogue.drift(report.model), report]).items():
                path = Path(folder) / name
                path.write_bytes(png)
                run.log_file(path, folder="plots")
