"""Measure what language models answered in production, by model and prompt pack, from the event log alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final

from ordinis_learn.answers import (
    AnswerSource,
    OutputSchema,
    RecordedAnswers,
    RecordedComparison,
    RecordedMeasures,
    compare_recorded,
    measure_recorded,
    read_recorded,
)
from ordinis_learn.answers.recorded_measures import PairedBy
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataMissing
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.prompts import PromptPack, load_prompt_pack
from ordinis_learn.records import Record, Topic
from ordinis_learn.use_cases.chat_model import refusal_detector
from ordinis_learn.workbench import Workbench

__all__ = ["RecordedReport", "compare_sources", "measure_span", "read_span"]

_VERSION: Final = re.compile(r"models:/(?P<name>[\w-]+(?:/[\w-]+)?)/(?P<version>[0-9]{1,18})")


class RecordedReport(Record):
    """What was answered from ``start`` to ``end``, both inclusive, in UTC days; sources in alphabetical order."""

    start: date
    end: date
    sources: tuple[RecordedMeasures, ...]
    unattributed_refusals: int
    comparison: RecordedComparison | None = None


def read_span(
    bench: Workbench, *, start: date, end: date, detector: RefusalDetector | None = None
) -> RecordedAnswers:
    """Read and judge a span's answers; output schemas are those of the registered packs that the events name.

    Raises
    ------
    ConfigInvalid
        The span ends before it starts.
    DataMissing
        Nothing was answered in it.
    """
    asked = f"measure the answers from {start} to {end}"
    if end < start:
        raise ConfigInvalid(asked, found="it ends before it starts", next_step="give --end the later day")
    log, position = bench.log, bench.log.position()
    first = datetime.combine(start, time(), tzinfo=UTC)
    after = datetime.combine(end, time(), tzinfo=UTC) + timedelta(days=1)
    responses, refusals = (
        log.scan(topic, start=first, end=after, until_position=position)
        for topic in (Topic.AI_RESPONSE, Topic.AI_REFUSAL)
    )
    if not responses.num_rows and not refusals.num_rows:
        raise DataMissing(
            asked,
            found=f"no {Topic.AI_RESPONSE} and no {Topic.AI_REFUSAL} events",
            next_step="choose days with answers; ordinis-learn events count says what is there",
            rows=0,
            required=1,
        )
    schemas = _Schemas(bench)
    return read_recorded(
        responses, refusals, schema_of=schemas.schema_of, detector=detector or refusal_detector()
    )


def measure_span(
    bench: Workbench,
    *,
    start: date,
    end: date,
    compare: tuple[str, str] | None = None,
    paired_by: PairedBy = "request_hash",
    detector: RefusalDetector | None = None,
    seed: int = 7,
) -> RecordedReport:
    """Measure a span, and compare two sources in it where asked; each is named by its model or its prompt pack.

    Raises
    ------
    ConfigInvalid
        A name to compare fits no source, or more than one.
    DataMissing
        Nothing was answered, or the two share no request.
    """
    recorded = read_span(bench, start=start, end=end, detector=detector)
    comparison = None
    if compare is not None:
        comparison = compare_sources(recorded, compare, paired_by=paired_by, seed=seed)
    return RecordedReport(
        start=start,
        end=end,
        sources=measure_recorded(recorded, seed=seed),
        unattributed_refusals=recorded.unattributed_refusals,
        comparison=comparison,
    )


def compare_sources(
    recorded: RecordedAnswers, names: tuple[str, str], *, paired_by: PairedBy, seed: int = 7
) -> RecordedComparison:
    """Compare the first named source with the second one on the same requests."""
    subject, baseline = (recorded.of(_named(recorded, name)) for name in names)
    return compare_recorded(subject, baseline, names=names, paired_by=paired_by, seed=seed)


def _named(recorded: RecordedAnswers, name: str) -> AnswerSource:
    """Return the one source with this model, this pack, or ``model@pack``."""
    sources = recorded.sources()
    fits = [one for one in sources if name in (one.model, one.prompt_pack, f"{one.model}@{one.prompt_pack}")]
    if len(fits) == 1:
        return fits[0]
    there = ", ".join(f"{one.model}@{one.prompt_pack}" for one in sources)
    raise ConfigInvalid(
        f"compare the answers of {name!r}",
        found=f"{len(fits) or 'no'} sources of that name; there are {there or 'none'}",
        next_step="name one of them whole, as MODEL@PACK",
    )


class _Schemas:
    """Output schemas of registered packs, each pack read once; None for a pack or a task that is not there."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._pack = cache(self._load)
        self.schema_of = cache(self._schema_of)

    def _schema_of(self, prompt_pack: str, task: str) -> OutputSchema | None:
        pack = self._pack(prompt_pack)
        if pack is None or task not in pack.tasks:
            return None
        return OutputSchema(pack.tasks[task].output_schema)

    def _load(self, prompt_pack: str) -> PromptPack | None:
        named = _VERSION.fullmatch(prompt_pack)
        if named is None:
            return None
        try:
            return load_prompt_pack(self._bench.registry.local_path(named["name"], named["version"]))
        except ArtifactMissing:
            return None
