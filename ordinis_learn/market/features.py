"""Features known at the close of a session, from closes alone.

Each feature of session s is a function of closes up to and including s; changing any later close
leaves it as it was (tests/market/test_features.py holds this for every feature).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.market.history import Float2D, PriceHistory

__all__ = ["FEATURE_NAMES", "FEATURE_VERSION", "WARM_UP_SESSIONS", "FeatureCube", "compute_features"]

FEATURE_VERSION: Final = "close_v1"
WARM_UP_SESSIONS: Final = 253
_ANNUAL: Final = np.sqrt(252.0)

Float3D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureCube:
    """Features by session, symbol and name: ``values`` has shape (T, N, F), NaN before the warm-up."""

    names: tuple[str, ...]
    values: Float3D

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Where every feature of a (session, symbol) is finite; shape (T, N)."""
        return np.asarray(np.isfinite(self.values).all(axis=2))


def compute_features(history: PriceHistory) -> FeatureCube:
    """Compute every feature of :data:`FEATURE_NAMES`.

    Returns
    -------
    FeatureCube
        Shape (T, N, F). The first :data:`WARM_UP_SESSIONS` sessions are NaN for the slowest feature.

    Examples
    --------
    >>> from ordinis_learn.market import load_sp500
    >>> cube = compute_features(load_sp500())
    >>> cube.values.shape, bool(cube.complete[253].all()), bool(cube.complete[251].any())
    ((8313, 20, 12), True, False)
    """
    close = history.close
    index = np.broadcast_to(history.index_close[:, None], close.shape)
    log_return = _log_return(close, 1)
    vol_20, vol_60 = _rolling_std(log_return, 20) * _ANNUAL, _rolling_std(log_return, 60) * _ANNUAL
    ret_20 = _log_return(close, 20)
    features = {
        "ret_1": log_return,
        "ret_5": _log_return(close, 5),
        "ret_20": ret_20,
        "mom_126": _log_return(close, 126),
        "mom_252_21": _lag(_log_return(close, 231), 21),
        "z_20": _z_score(close, 20),
        "vol_20": vol_20,
        "vol_60": vol_60,
        "vol_ratio": np.divide(vol_20, vol_60, out=np.full_like(vol_20, np.nan), where=vol_60 > 0),
        "below_high_252": close / _rolling_max(close, 252) - 1.0,
        "rel_20": ret_20 - _cross_mean(ret_20),
        "index_vol_20": _rolling_std(_log_return(index, 1), 20) * _ANNUAL,
    }
    return FeatureCube(names=tuple(features), values=np.stack(list(features.values()), axis=2))


FEATURE_NAMES: Final = (
    "ret_1",
    "ret_5",
    "ret_20",
    "mom_126",
    "mom_252_21",
    "z_20",
    "vol_20",
    "vol_60",
    "vol_ratio",
    "below_high_252",
    "rel_20",
    "index_vol_20",
)


def _lag(values: Float2D, sessions: int) -> Float2D:
    lagged = np.full_like(values, np.nan)
    lagged[sessions:] = values[: max(0, len(values) - sessions)]
    return lagged


def _log_return(close: Float2D, sessions: int) -> Float2D:
    return np.log(close / _lag(close, sessions))


def _windows(values: Float2D, length: int) -> npt.NDArray[np.float64]:
    return np.lib.stride_tricks.sliding_window_view(values, length, axis=0)


def _padded(tail: Float2D, like: Float2D) -> Float2D:
    padded = np.full_like(like, np.nan)
    padded[len(like) - len(tail) :] = tail
    return padded


def _rolling_std(values: Float2D, length: int) -> Float2D:
    if len(values) < length:
        return np.full_like(values, np.nan)
    return _padded(_windows(values, length).std(axis=2, ddof=1), values)


def _rolling_max(values: Float2D, length: int) -> Float2D:
    if len(values) < length:
        return np.full_like(values, np.nan)
    return _padded(_windows(values, length).max(axis=2), values)


def _z_score(close: Float2D, length: int) -> Float2D:
    if len(close) < length:
        return np.full_like(close, np.nan)
    windows = _windows(close, length)
    deviation = windows.std(axis=2, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (close[length - 1 :] - windows.mean(axis=2)) / deviation
    return _padded(np.where(deviation > 0, score, 0.0), close)


def _cross_mean(values: Float2D) -> Float2D:
    """Mean over the symbols that have a value; NaN where none has."""
    known = np.isfinite(values)
    count = known.sum(axis=1, keepdims=True)
    total = np.where(known, values, 0.0).sum(axis=1, keepdims=True)
    mean: Float2D = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
