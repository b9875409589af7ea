"""A version whose drift is checked, and the rows it is checked by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets import open_dataset
from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.drift import MIN_REFERENCE_SESSIONS
from ordinis_learn.errors import DataMissing
from ordinis_learn.market.lags import split_lag
from ordinis_learn.models import SignalModel, load_bundle
from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact
from ordinis_learn.use_cases.drift_reference import forecast_horizon, seen_by
from ordinis_learn.workbench import Workbench

__all__ = ["DriftSubject"]

_RECORD: Final = timedelta(days=183)


@dataclass(frozen=True, kw_only=True, eq=False)
class DriftSubject:
    """A version with its model, its reference dataset and the horizon of its forecasts in sessions."""

    bench: Workbench
    artifact: ModelArtifact
    manifest: DatasetManifest
    model: SignalModel
    horizon: int

    @classmethod
    def of(cls, bench: Workbench, artifact: ModelArtifact, manifest: DatasetManifest) -> Self:
        """Load the version; its bytes are verified."""
        model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
        horizon = forecast_horizon(model, manifest)
        return cls(bench=bench, artifact=artifact, manifest=manifest, model=model, horizon=horizon)

    def rows(self, start: date, end: date) -> pa.Table:
        """Return the captured signals of a span with their outcomes so far, as the reference's dataset was built.

        A model of a history sees what was captured before the span as well.
        """
        back = max(split_lag(column)[1] for column in self.model.feature_names)
        first = start - timedelta(days=2 * back + 7) if back else start
        window = self.manifest.window.model_copy(
            update={"start": first, "end": end, "horizons": (self.horizon,), "as_of": None}
        )
        rows = seen_by(self.model, assemble(self.bench.log, window=window).table, manifest=self.manifest)
        return rows.filter(pc.greater_equal(rows["session"], start)) if back else rows

    def record(self, *, until: date, whole: bool = False) -> pa.Table | None:
        """Return the rows on which the model showed what it can do; None where there are too few, or not all of a ``whole``.

        A fitted model earns more on the rows it was fitted on than it ever will again: compared with them, every month
        afterwards would look like decay. Its record is the first half year after them, and stays that: a record that
        moved along would call a slow decline normal. A declared model has seen nothing, so the dataset is its record.
        """
        if self.artifact.data_snapshot_ref == DECLARED or self.artifact.trained_until is None:
            return self._declared_record()
        first = date.fromisoformat(self.artifact.trained_until[:10]) + timedelta(days=1)
        last = min(first + _RECORD, until - timedelta(days=2 * self.horizon + 3))
        if last <= first or (whole and last < first + _RECORD):
            return None
        rows = self.rows(first, last)
        days = len(np.unique(rows["session"].to_numpy())) if rows.num_rows else 0
        return rows if days >= MIN_REFERENCE_SESSIONS else None

    def _declared_record(self) -> pa.Table | None:
        """Return the dataset's rows; where they were pruned, what the event log still has of them."""
        try:
            rows = open_dataset(self.manifest, root=self.bench.settings.datasets_dir)
        except DataMissing:
            span = self.manifest.window
            rows = self.rows(span.start, span.end)
            return rows if rows.num_rows else None
        return seen_by(self.model, rows, manifest=self.manifest)
