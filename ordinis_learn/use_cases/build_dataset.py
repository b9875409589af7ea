"""Build a dataset from the event log and remember its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ordinis_learn.datasets import DatasetBuilder
from ordinis_learn.datasets.execution import open_executor
from ordinis_learn.errors import DatasetRejected
from ordinis_learn.records import DatasetManifest, DatasetWindow
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.workbench import Workbench

__all__ = ["build_dataset", "parse_window"]


def build_dataset(bench: Workbench, dataset_id: str, window: Mapping[str, Any]) -> DatasetManifest:
    """Label the window's signals and write them as Parquet with a manifest.

    Raises
    ------
    DataMissing
        Too few effective samples (``LEARN_MIN_SAMPLES``) or no signals.
    DatasetRejected
        The expectations failed; manifest and rows are kept for inspection, training refuses them.
    """
    builder = DatasetBuilder(
        bench.log,
        root=bench.settings.datasets_dir,
        min_samples=bench.settings.learn_min_samples,
        code_commit=bench.provenance().code_commit,
        clock=bench.clock,
        executor=partial(
            open_executor,
            bench.settings.learn_dask_scheduler,
            workers=bench.settings.learn_dataset_workers,
        ),
    )
    try:
        manifest = builder.build(dataset_id, parse_window(window))
    except DatasetRejected as rejection:
        bench.catalogue.add_dataset(rejection.data["manifest"])
        raise
    bench.catalogue.add_dataset(manifest)
    return manifest


def parse_window(window: Mapping[str, Any]) -> DatasetWindow:
    """Read a window mapping; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        DatasetWindow,
        window,
        asked=f"read the dataset window {dict(window)!r}",
        next_step="give {'start': '1991-01-02', 'end': '2006-12-29', 'horizons': [1, 5, 20]}",
    )
