"""The rows given to a model: their shape, and which of them are complete."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid

__all__ = ["checked_rows"]


def checked_rows(
    features: npt.ArrayLike, *, names: tuple[str, ...]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the rows as float64 of shape (n, F), and where every feature is finite, shape (n,).

    Raises
    ------
    ConfigInvalid
        The array is not two-dimensional with one column per name.

    Examples
    --------
    >>> rows, complete = checked_rows([[1, 2], [3, float("nan")]], names=("ret_1", "vol_20"))
    >>> rows.shape, complete.tolist()
    ((2, 2), [True, False])
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise ConfigInvalid(
            f"predict with the features {', '.join(names)}",
            found=f"an array of shape {rows.shape}",
            next_step=f"give shape (n, {len(names)}), columns in that order",
        )
    return rows, np.asarray(np.isfinite(rows).all(axis=1))
