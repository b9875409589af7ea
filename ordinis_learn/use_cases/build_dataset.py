"""Build a dataset from the event log and remember its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from ordinis_learn.datasets import DatasetBuilder, RagEvalBuilder
from ordinis_learn.datasets.execution import open_executor
from ordinis_learn.errors import ConfigInvalid, DatasetRejected
from ordinis_learn.records import DatasetManifest, DatasetWindow
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.workbench import Workbench

__all__ = ["build_dataset", "parse_window"]

_BUILDERS: Final[Mapping[str, type[DatasetBuilder | RagEvalBuilder]]] = {
    "signal": DatasetBuilder,
    "rag_eval": RagEvalBuilder,
}


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
