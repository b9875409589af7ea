"""What recent rows are compared with: the training rows, as counts by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ordinis_learn.drift.binning import Float1D
from ordinis_learn.drift.calibration import halved
from ordinis_learn.drift.column import ColumnReference, summarise_column
from ordinis_learn.drift.conditional_shift import ConditionalShift
from ordinis_learn.drift.domain_classifier import DomainClassifier
from ordinis_learn.drift.joint_sample import JointSample, sample_jointly
from ordinis_learn.drift.measurement import Judgement, calibrate_column
from ordinis_learn.drift.null import Null
from ordinis_learn.drift.samples import Rows
from ordinis_learn.errors import DataMissing
from ordinis_learn.records import DatasetManifest

__all__ = ["MIN_REFERENCE_SESSIONS", "PREDICTION", "DriftReference", "build_reference"]

MIN_REFERENCE_SESSIONS: Final = 40
PREDICTION: Final = "prediction"
"""The column that holds what the model said about the training rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DriftReference:
    """The training rows of one dataset version by session, and what a model said about them.

    It never moves: comparing with last month instead would let a slow drift through, month by month.

    Attributes
    ----------
    dataset_ref : str
        ``dataset_id@version``.
    content_sha256 : str
        Of the dataset.
    days : datetime64[D] array, shape (T,)
    rows : int
    columns : mapping of str to ColumnReference
        By feature name; the model's own under :data:`PREDICTION`, where there is a model.
    joint : JointSample
        A part of the rows, all features together.
    """

    dataset_ref: str
    content_sha256: str
    days: npt.NDArray[np.datetime64]
    rows: int
    columns: Mapping[str, ColumnReference]
    joint: JointSample
    _nulls: dict[tuple[str, int, float, Judgement], Mapping[str, Null]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that are features."""
        return tuple(name for name in self.columns if name != PREDICTION)

    @cached_property
    def classifier(self) -> DomainClassifier:
        """What tells recent rows from these; made once."""
        return DomainClassifier(self.joint, columns=self.columns, sessions=len(self.days))

    @cached_property
    def conditional(self) -> ConditionalShift:
        """What tells whether a feature moved against the others; made once."""
        return ConditionalShift(self.joint, columns=self.columns, sessions=len(self.days))

    def nulls(
        self, column: str, *, window_sessions: int, judgement: Judgement, window_rows: int | None = None
    ) -> Mapping[str, Null]:
        """Return a column's nulls for windows of so many sessions; calibrated once, then remembered.

        Parameters
        ----------
        window_rows : int, optional
            Default: as many a session as the reference has. Fewer are rounded to a half, a quarter and so on of that.
        """
        usual = self.rows / len(self.days)
        share = 1.0 if window_rows is None else halved(window_rows / window_sessions / usual)
        key = (column, window_sessions, share, judgement)
        if key not in self._nulls:
            self._nulls[key] = calibrate_column(
                self.columns[column], window_sessions=window_sessions, row_share=share, judgement=judgement
            )
        return self._nulls[key]


def build_reference(
    table: pa.Table, *, manifest: DatasetManifest, prediction: Float1D | None = None
) -> DriftReference:
    """Summarise the training rows.

    Parameters
    ----------
    table : pyarrow.Table
        The dataset's rows: column ``session`` (date32) and one ``f_*`` column per feature of the manifest.
    manifest : DatasetManifest
    prediction : float64 array, shape (n,), optional
        What the model says about each row.

    Raises
    ------
    DataMissing
        No such feature or no finite value of it, or fewer than 40 sessions: less does not know its own noise.
    """
    asked = f"summarise {manifest.ref} as a reference for drift"
    rows = Rows.of(table, asked=asked, side="reference")
    _require_sessions(rows, asked=asked)
    values = {name: _feature(rows, name, asked=asked) for name in manifest.feature_names}
    scored = values if prediction is None else values | {PREDICTION: prediction}
    columns = {
        name: summarise_column(column, session=rows.session, sessions=len(rows.days))
        for name, column in scored.items()
    }
    return DriftReference(
        dataset_ref=manifest.ref,
        content_sha256=manifest.content_sha256,
        days=rows.days,
        rows=table.num_rows,
        columns=MappingProxyType(columns),
        joint=sample_jointly(values, columns=columns, session=rows.session),
    )


def _feature(rows: Rows, name: str, *, asked: str) -> Float1D:
    values = rows.feature(name)
    if values is None or not np.isfinite(values).any():
        raise DataMissing(
            asked,
            found=f"the training data hold no values of feature {name!r}",
            next_step="pass the rows of the dataset that the model was trained on",
            feature=name,
        )
    return values


def _require_sessions(rows: Rows, *, asked: str) -> None:
    if len(rows.days) < MIN_REFERENCE_SESSIONS:
        raise DataMissing(
            asked,
            found=f"{len(rows.days)} reference sessions; their own noise is known from {MIN_REFERENCE_SESSIONS} on",
            next_step="train on a longer window, then check again",
            sessions=len(rows.days),
        )
