"""Build a dataset from the event log and remember its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, Final

from ordinis_learn.datasets import DatasetBuilder, RagEvalBuilder
from ordinis_learn.datasets.execution import open_executor
from ordinis_learn.errors import ConfigInvalid, DatasetRejected
from ordinis_learn.observability.origins import origins_of
from ordinis_learn.observability.tracing import MAX_LINKS
from ordinis_learn.records import DatasetManifest, DatasetWindow, Topic
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.stages import Made, Work, dataset_subject, stage
from ordinis_learn.workbench import Workbench

__all__ = ["build_dataset", "parse_window"]

_BUILDERS: Final[Mapping[str, type[DatasetBuilder | RagEvalBuilder]]] = {
    "signal": DatasetBuilder,
    "rag_eval": RagEvalBuilder,
}


def _asked(bench: Workbench, dataset_id: str, window: Mapping[str, Any]) -> Work:
    """Go on in the trace of the events, or link to the newest of their traces."""
    topic = Topic.AI_RESPONSE if window.get("kind") == "rag_eval" else Topic.SIGNAL
    parsed = parse_window(_kind(window)[1])
    start = datetime.combine(parsed.start, time(), tzinfo=UTC)
    end = datetime.combine(parsed.end + timedelta(days=1), time(), tzinfo=UTC)
    came = origins_of(bench.log.envelopes(topic, start=start, end=end, limit=MAX_LINKS))
    return Work(
        subject=dataset_id,
        parent=came.parent,
        links=came.links,
        attributes={"ordinis.window.start": str(parsed.start), "ordinis.window.end": str(parsed.end)},
    )


def _made(manifest: DatasetManifest) -> Made:
    return Made(
        subject=dataset_subject(manifest.ref),
        attributes={
            "ordinis.dataset": manifest.ref,
            "ordinis.dataset_sha256": manifest.content_sha256,
            "ordinis.rows": manifest.rows,
            "ordinis.events": manifest.event_range.count,
            "ordinis.log_position": manifest.event_range.log_position,
        },
    )


@stage("dataset", asked=_asked, made=_made)
def build_dataset(bench: Workbench, dataset_id: str, window: Mapping[str, Any]) -> DatasetManifest:
    """Write a window of the event log as Parquet with a manifest.

    ``window["kind"]`` says of what: ``signal`` (labelled signals, where it is left out) or ``rag_eval`` (answers of
    language models with what they retrieved).

    Raises
    ------
    DataMissing
        Too few effective samples (``LEARN_MIN_SAMPLES``) or no signals.
    DatasetRejected
        The expectations failed; manifest and rows are kept for inspection, training refuses them.
    """
    kind, window = _kind(window)
    builder = _BUILDERS[kind](
        bench.log,
        root=bench.settings.datasets_dir,
        min_samples=bench.settings.learn_min_samples,
        code_commit=bench.provenance().code_commit,
        clock=bench.clock,
        **_execution(bench, kind),
    )
    try:
        manifest = builder.build(dataset_id, parse_window(window))
    except DatasetRejected as rejection:
        bench.catalogue.add_dataset(rejection.data["manifest"])
        raise
    bench.catalogue.add_dataset(manifest)
    return manifest


def _execution(bench: Workbench, kind: str) -> dict[str, Any]:
    """Return where the buckets of a large dataset are worked on; other kinds are small."""
    if kind != "signal":
        return {}
    settings = bench.settings
    workers = settings.learn_dataset_workers
    return {"executor": partial(open_executor, settings.learn_dask_scheduler, workers=workers)}


def _kind(window: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    rest = dict(window)
    kind = rest.pop("kind", "signal")
    if kind not in _BUILDERS:
        raise ConfigInvalid(
            f"build a dataset of kind {kind!r}",
            found="no builder of this kind",
            next_step=f"choose one of {', '.join(_BUILDERS)}",
        )
    return kind, rest


def parse_window(window: Mapping[str, Any]) -> DatasetWindow:
    """Read a window mapping; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        DatasetWindow,
        window,
        asked=f"read the dataset window {dict(window)!r}",
        next_step="give {'start': '1991-01-02', 'end': '2006-12-29', 'horizons': [1, 5, 20]}",
    )
