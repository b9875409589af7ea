"""The rows that a model may be trained on, as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ordinis_learn.datasets.history import with_history
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.labelling import FEATURE_PREFIX
from ordinis_learn.market.lags import lagged_names
from ordinis_learn.records import DatasetManifest
from ordinis_learn.training.config import TrainConfig
from ordinis_learn.training.streamed import StreamedFeatures, StreamedRows

__all__ = ["FeatureStream", "TrainingMatrix", "training_matrix"]

_BLOCK_ROWS: Final = 4096

Dates = npt.NDArray[np.datetime64]


class FeatureStream(Protocol):
    """The features of rows that do not fit into memory."""

    @property
    def on_disk(self) -> bool:
        """Return whether what is made of them is to be kept on disk too."""
        ...

    def batches(self) -> Iterator[npt.NDArray[np.float32]]:
        """Yield arrays of shape (n, F), together every row in order."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingMatrix:
    """Complete rows whose label has ended by the cut-off, ordered by session.

    Attributes
    ----------
    features : float32 array, shape (n, F)
        Finite; float32 is what the trees see, and half the memory. Empty where they are streamed.
    target : float64 array, shape (n,)
        The unsigned forward return over the horizon, as a fraction.
    session_return : float64 array, shape (n,)
        The unsigned return over the one session after entry; NaN where the dataset has no such label.
    weight : float64 array, shape (n,)
        Label uniqueness in (0, 1]; the sum is the effective sample size.
    session, label_start, label_end : datetime64[D] arrays, shape (n,)
        When the signal was given, and the interval its label looks at.
    stream : FeatureStream or None
        Where the features come from when they are not in memory.
    """

    feature_names: tuple[str, ...]
    features: npt.NDArray[np.float32]
    target: npt.NDArray[np.float64]
    session_return: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    session: Dates
    label_start: Dates
    label_end: Dates
    stream: FeatureStream | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def effective_samples(self) -> float:
        """The sum of label uniqueness (López de Prado, Advances in Financial Machine Learning, ch. 4)."""
        return float(self.weight.sum())

    def sample(self, most: int) -> npt.NDArray[np.float32]:
        """Return the features of at most so many rows, evenly spread over time, shape (m, F)."""
        step = -(-len(self) // most)
        if self.stream is None:
            return self.features[::step]
        taken, first = [], 0
        for batch in self.stream.batches():
            # A view would hold the whole batch.
            taken.append(batch[-first % step :: step].copy())
            first += len(batch)
        return np.concatenate(taken)


def training_matrix(
    config: TrainConfig,
    *,
    manifest: DatasetManifest,
    table: pa.Table | StreamedRows,
    min_samples: int,
) -> TrainingMatrix:
    """Select the rows that ``config`` allows; the features of streamed ones stay where they are.

    Raises
    ------
    ConfigInvalid
        The dataset has no label at the horizon, or no feature of a name in ``monotone``.
    DataMissing
        Fewer effective samples than ``min_samples``.
    """
    horizon = config.horizon_sessions
    asked = f"train {config.name} on {manifest.ref}, horizon {horizon} sessions"
    known = table.column_names if isinstance(table, pa.Table) else tuple(manifest.columns)
    if f"fwd_ret_{horizon}d" not in known:
        raise ConfigInvalid(
            asked,
            found=f"labels at {', '.join(f'{h}' for h in manifest.window.horizons)} sessions only",
            next_step=f"build the dataset with {horizon} among its horizons",
        )
    if unknown := sorted(set(config.monotone) - set(manifest.feature_names)):
        raise ConfigInvalid(
            asked,
            found=f"monotone names {', '.join(unknown)}, which the dataset has not",
            next_step=f"name some of {', '.join(manifest.feature_names)}",
        )
    names = _feature_names(config, manifest)
    rows, stream = _selected(table, config=config, names=names, manifest=manifest)
    weight = _float64(rows, f"uniqueness_{horizon}d")
    if weight.sum() < min_samples:
        raise DataMissing(
            asked,
            found=f"{weight.sum():.0f} effective samples in {len(rows)} usable rows, {min_samples} are needed",
            next_step=_widen(config),
            rows=len(rows),
            effective_samples=float(weight.sum()),
        )
    return TrainingMatrix(
        feature_names=names,
        features=_features(rows, names) if stream is None else np.empty((0, len(names)), dtype=np.float32),
        target=_float64(rows, f"fwd_ret_{horizon}d"),
        session_return=_session_return(rows),
        weight=weight,
        session=_days(rows, "session"),
        label_start=_days(rows, f"label_start_{horizon}d"),
        label_end=_days(rows, f"label_end_{horizon}d"),
        stream=stream,
    )


def _selected(
    table: pa.Table | StreamedRows,
    *,
    config: TrainConfig,
    names: tuple[str, ...],
    manifest: DatasetManifest,
) -> tuple[pa.Table, StreamedFeatures | None]:
    """Return the usable rows, and where their features are streamed what gives them."""
    if isinstance(table, pa.Table):
        return _usable(
            with_history(table, names, calendar=manifest.window.calendar), config=config, names=names
        ), None
    return _streamed(table, config=config, names=names)


def _streamed(
    rows: StreamedRows, *, config: TrainConfig, names: tuple[str, ...]
) -> tuple[pa.Table, StreamedFeatures]:
    """Pass over the files once: keep the narrow columns of the usable rows, and which they are."""
    horizon = config.horizon_sessions
    read = _columns_read(tuple(rows.manifest.columns), horizon=horizon, names=names)
    narrow = [name for name in read if not name.startswith(FEATURE_PREFIX)]
    kept, usable = [], []
    for table in rows.tables(read):
        keep = pc.fill_null(_allowed(table, config=config, names=names), fill_value=False)
        usable.append(np.asarray(keep.to_numpy(), dtype=np.bool_))
        kept.append(table.select(narrow).filter(keep))
    if not kept:
        raise DataMissing(
            f"train {config.name} on {rows.manifest.ref}",
            found="no row in its files",
            next_step=_widen(config),
        )
    return (
        pa.concat_tables(kept).combine_chunks(),
        StreamedFeatures(rows=rows, names=names, usable=np.concatenate(usable)),
    )


def _widen(config: TrainConfig) -> str:
    if config.model != "sequence":
        return "widen the dataset's window or train_until, choose a shorter horizon, or set LEARN_MIN_SAMPLES"
    return (
        "give sequence.stride_sessions as a multiple of the sessions between two rows of a symbol, look back less, "
        "widen the dataset's window or train_until, or set LEARN_MIN_SAMPLES"
    )


def _feature_names(config: TrainConfig, manifest: DatasetManifest) -> tuple[str, ...]:
    """Return the columns of a row: the dataset's features, for a sequence those of every step of its history."""
    if config.model != "sequence":
        return manifest.feature_names
    return lagged_names(manifest.feature_names, lags=config.sequence.lags)


def _usable(table: pa.Table, *, config: TrainConfig, names: tuple[str, ...]) -> pa.Table:
    """Return the rows with every feature and the label, inside the cut-offs, in order of session."""
    table = table.select(_columns_read(table.column_names, horizon=config.horizon_sessions, names=names))
    keep = _allowed(table, config=config, names=names)
    # Copying what is kept anyway costs as much as a boosting round on millions of rows.
    rows = table if pc.all(keep, skip_nulls=False).as_py() else table.filter(keep)
    session = _days(rows, "session")
    if np.any(np.diff(session) < np.timedelta64(0, "D")):
        rows = rows.take(pa.array(np.argsort(session, kind="stable")))
    return rows


def _allowed(table: pa.Table, *, config: TrainConfig, names: tuple[str, ...]) -> pa.ChunkedArray:
    """Tell of each row whether it has every feature and the label, inside the cut-offs; null where it does not say."""
    horizon = config.horizon_sessions
    keep = pc.and_(
        pc.is_finite(table[f"fwd_ret_{horizon}d"]), pc.greater(table[f"uniqueness_{horizon}d"], 0.0)
    )
    for name in names:
        keep = pc.and_(keep, pc.is_finite(table[FEATURE_PREFIX + name]))
    if config.train_start is not None:
        keep = pc.and_(keep, pc.greater_equal(table["session"], config.train_start))
    if config.train_until is not None:
        keep = pc.and_(keep, pc.less_equal(table[f"label_end_{horizon}d"], config.train_until))
    return keep


def _columns_read(columns: Sequence[str], *, horizon: int, names: tuple[str, ...]) -> list[str]:
    labels = {f"{name}_{horizon}d" for name in ("fwd_ret", "uniqueness", "label_start", "label_end")}
    read = {"session", "fwd_ret_1d", *labels, *(FEATURE_PREFIX + name for name in names)}
    return [name for name in columns if name in read]


def _features(rows: pa.Table, names: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Transpose columns into rows, a block at a time so that the written block stays in the cache."""
    columns = [rows[FEATURE_PREFIX + name].to_numpy() for name in names]
    features = np.empty((len(rows), len(names)), dtype=np.float32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        for n, column in enumerate(columns):
            features[block, n] = column[block]
    return features


def _session_return(rows: pa.Table) -> npt.NDArray[np.float64]:
    if "fwd_ret_1d" not in rows.column_names:
        return np.full(len(rows), np.nan)
    return _float64(rows, "fwd_ret_1d")


def _float64(rows: pa.Table, name: str) -> npt.NDArray[np.float64]:
    return np.asarray(rows[name].to_numpy(), dtype=np.float64)


def _days(rows: pa.Table, name: str) -> Dates:
    return np.asarray(rows[name].to_numpy()).astype("datetime64[D]")
