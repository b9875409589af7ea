"""Features as maps of names to doubles, quickly where rows share their names.

DuckDB reads an object into a map an entry at a time. Engines send the same features again and again: where the
rows of a batch have few sets of names, their values are read as plain columns, five times as fast, and put
together as maps here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

__all__ = ["MAP_SHAPE", "plain_names", "struct_shape", "to_maps"]

MAP_SHAPE: Final = '"MAP(VARCHAR, DOUBLE)"'
"""How DuckDB is asked for any features."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.]+", re.ASCII)
_MOST_NAMES: Final = 512
_MOST_SETS: Final = 16


def plain_names(sets: Sequence[Sequence[str] | None]) -> list[str] | None:
    """Return the names of all these sets, or None where they should be read as maps.

    DuckDB does not tell the fields of a struct apart by case, and a name that needs quoting is not worth it.

    Examples
    --------
    >>> plain_names([["z_20", "vol_5"], None, ["vol_5", "rsi"]])
    ['z_20', 'vol_5', 'rsi']
    >>> plain_names([["rsi"], ["RSI"]]) is None
    True
    """
    names = list(dict.fromkeys(name for one in sets for name in one or ()))
    if not names or len(names) > _MOST_NAMES or len(sets) > _MOST_SETS:
        return None
    apart = len({name.lower() for name in names}) == len(names)
    return names if apart and all(_PLAIN.fullmatch(name) for name in names) else None


def struct_shape(names: Sequence[str]) -> str:
    """Return how DuckDB is asked for features of these names."""
    return "{" + ", ".join(f'"{name}": "DOUBLE"' for name in names) + "}"


def to_maps(
    values: pa.StructArray, sets: Sequence[Sequence[str] | None], which: np.ndarray
) -> pa.Array | None:
    """Return one map a row, in the order of the row's names.

    Parameters
    ----------
    values : pa.StructArray
        One column of doubles per name.
    sets : sequence
        The sets of names; None stands for rows without features.
    which : (n,) array of int
        Which set a row has.

    Returns
    -------
    pa.Array or None
        None where a value is missing: such rows are read otherwise.
    """
    lengths = np.array([len(one or ()) for one in sets])[which]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    columns = {field.name: number for number, field in enumerate(values.type)}
    flat, keys = np.empty(offsets[-1]), np.empty(offsets[-1], dtype=np.int32)
    for number, names in enumerate(sets):
        rows = np.flatnonzero(which == number)
        for place, name in enumerate(names or ()):
            cells = offsets[rows] + place
            flat[cells] = values.field(name).to_numpy(zero_copy_only=False)[rows]
            keys[cells] = columns[name]
    if np.isnan(flat).any():
        return None
    named = pa.DictionaryArray.from_arrays(keys, pa.array(list(columns), pa.string())).cast(pa.string())
    absent = np.array([one is None for one in sets])[which]
    return pa.MapArray.from_arrays(
        pa.array(offsets, mask=np.append(absent, False)) if absent.any() else pa.array(offsets), named, flat
    )
