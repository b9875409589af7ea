"""Why a label is there or not."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["LabelStatus", "status_column"]


class LabelStatus(StrEnum):
    """What became of a label.

    Attributes
    ----------
    LABELLED
        It is there.
    PENDING
        Not known yet: a session that it needs is not over.
    NO_ENTRY_BAR, NO_EXIT_BAR
        The symbol has no bar of the session at which it would be entered, or left: a halt, a delisting, or a lost
        bar. Final: a bar told later does not count.
    NO_VOLATILITY
        Too few returns were known at the signal to say how far the price moves (triple barrier only).
    """

    LABELLED = "labelled"
    PENDING = "pending"
    NO_ENTRY_BAR = "no_entry_bar"
    NO_EXIT_BAR = "no_exit_bar"
    NO_VOLATILITY = "no_volatility"


_CODE: Final = {status: code for code, status in enumerate(LabelStatus)}


def status_column(chosen: list[tuple[npt.NDArray[np.bool_], LabelStatus]], *, rows: int) -> pa.Array:
    """Return the first status of each row whose condition holds, ``pending`` where none does."""
    found = np.full(rows, _CODE[LabelStatus.PENDING], dtype=np.int8)
    for condition, status in reversed(chosen):
        found[condition] = _CODE[status]
    # Not a constant: pyarrow imports pandas when it first sees a list.
    names = pa.array([status.value for status in LabelStatus])
    return names.take(pa.array(found))
