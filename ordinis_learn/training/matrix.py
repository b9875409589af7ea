"""The rows that a model may be trained on, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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

__all__ = ["TrainingMatrix", "training_matrix"]

_BLOCK_ROWS: Final = 4096

Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingMatrix:
    """Complete rows whose label has ended by the cut-off, ordered by session.

    Attributes
    ----------
    features : float32 array, shape (n, F)
        Finite; float32 is what the trees see, and half the memory.
    target : float64 array, shape (n,)
        The unsigned forward return over the horizon, as a fraction.
    session_return : float64 array, shape (n,)
        The unsigned return over the one session after entry; NaN where the dataset has no such label.
    weight : float64 array, shape (n,)
        Label uniqueness in (0, 1]; the sum is the effective sample size.
    session, label_start, label_end : datetime64[D] arrays, shape (n,)
        When the signal was given, and the interval its label looks at.
    """

    feature_names: tuple[str, ...]
    features: npt.NDArray[np.float32]
    target: npt.NDArray[np.float64]
    session_return: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    session: Dates
    label_start: Dates
    label_end: Dates

    def __len__(self) -> int:
        return len(self.target)

    @property
    def effective_samples(self) -> float:
        """The sum of label uniqueness (López de Prado, Advances in Financial Machine Learning, ch. 4)."""
        return float(self.weight.sum())


def training_matrix(
    config: TrainConfig, *, manifest: DatasetManifest, table: pa.Table, min_samples: int
) -> TrainingMatrix:
    """Select the rows that ``config`` allows.

    Raises
    ------
    ConfigInvalid
        The dataset has no label at the horizon, or no feature of a name in ``monotone``.
    DataMissing
        Fewer effective samples than ``min_samples``.
    """
    horizon = config.horizon_sessions
    asked = f"train {config.name} on {manifest.ref}, horizon {horizon} sessions"
    if f"fwd_ret_{horizon}d" not in table.column_names:
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
    table = with_history(table, names, calendar=manifest.window.calendar)
    rows = _usable(table, config=config, names=names)
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
        features=_features(rows, names),
        target=_float64(rows, f"fwd_ret_{horizon}d"),
        session_return=_session_return(rows),
        weight=weight,
        session=_days(rows, "session"),
        label_start=_days(rows, f"label_start_{horizon}d"),
        label_end=_days(rows, f"label_end_{horizon}d"),
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
    horizon = config.horizon_sessions
    table = table.select(_columns_read(table, horizon=horizon, names=names))
    keep = pc.and_(
        pc.is_finite(table[f"fwd_ret_{horizon}d"]), pc.greater(table[f"uniqueness_{horizon}d"], 0.0)
    )
    for name in names:
        keep = pc.and_(keep, pc.is_finite(table[FEATURE_PREFIX + name]))
    if config.train_start is not None:
        keep = pc.and_(keep, pc.greater_equal(table["session"], config.train_start))
    if config.train_until is not None:
        keep = pc.and_(keep, pc.less_equal(table[f"label_end_{horizon}d"], config.train_until))
    # Copying what is kept anyway costs as much as a boosting round on millions of rows.
    rows = table if pc.all(keep, skip_nulls=False).as_py() else table.filter(keep)
    session = _days(rows, "session")
    if np.any(np.diff(session) < np.timedelta64(0, "D")):
        rows = rows.take(pa.array(np.argsort(session, kind="stable")))
    return rows


def _columns_read(table: pa.Table, *, horizon: int, names: tuple[str, ...]) -> list[str]:
    labels = {f"{name}_{horizon}d" for name in ("fwd_ret", "uniqueness", "label_start", "label_end")}
    read = {"session", "fwd_ret_1d", *labels, *(FEATURE_PREFIX + name for name in names)}
    return [name for name in table.column_names if name in read]


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
