"""Which of the kept events count, and where they stand: one row per session and symbol, in time, beside one version.

Nothing that comes later changes what counted before: rows are kept in the order in which they came, an event is late or
repeated by what came before it, and a row beside another version stays beside it. So the report of a later day
begins with that of an earlier one, which is what an interval that is looked at every day needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.shadow.outcomes import Outcomes

__all__ = ["Counted", "count_rows"]

Ints = npt.NDArray[np.int64]
Bool1D = npt.NDArray[np.bool_]

_SKEW_US: Final = 300_000_000
"""Clocks of two machines may differ by five minutes before an event counts as dated ahead."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Positions of the rows that count among the kept ones, with their session and symbol; and why others do not.

    ``rows``, ``session``, ``symbol`` and ``in_time`` have shape (n,); late rows count as answered, and not in the
    sequence.
    """

    rows: Ints
    session: Ints
    symbol: Ints
    in_time: Bool1D
    repeated: int
    ahead: int
    outside: int
    beside: dict[str, int]

    @property
    def late(self) -> int:
        """How many events came after one of a later session."""
        return int((~self.in_time).sum())


def count_rows(
    kept: dict[str, npt.NDArray[Any]], *, outcomes: Outcomes, first_session: int, beside: str | None
) -> Counted:
    """Choose the rows that count.

    Parameters
    ----------
    kept : dict
        Columns of :meth:`~ordinis_learn.shadow.store.ShadowStore.columns`, by position.
    outcomes : Outcomes
        Calendar and symbols.
    first_session : int
        Row of the first session that counts; what training or a pack has seen lies before it.
    beside : str or None
        The active version that counts; None: nothing was active.
    """
    session, symbol = outcomes.session_of(kept["ts_event"]), outcomes.place(kept["symbol"])
    ahead = kept["ts_event"] > kept["scored_at"] + _SKEW_US
    outside = ~ahead & (session < max(first_session, 0))
    newest = np.maximum.accumulate(np.where(ahead, -1, session)) if len(session) else session
    first = np.zeros(len(session), dtype=np.bool_)
    inside = np.flatnonzero(~ahead & ~outside)
    if len(inside):
        pairs = np.array([kept["symbol"][inside].astype(str), session[inside].astype(str)])
        _, begins = np.unique(np.char.add(np.char.add(pairs[0], "\x00"), pairs[1]), return_index=True)
        first[inside[begins]] = True
    version = kept["active_version"]
    matches = np.array([one == beside for one in version], dtype=np.bool_)
    names, counts = np.unique([one or "" for one in version], return_counts=True)
    chosen = np.flatnonzero(first & matches)
    return Counted(
        rows=chosen.astype(np.int64),
        session=session[chosen],
        symbol=symbol[chosen],
        in_time=session[chosen] >= newest[chosen],
        repeated=int((~ahead & ~outside & ~first).sum()),
        ahead=int(ahead.sum()),
        outside=int(outside.sum()),
        beside={str(name): int(count) for name, count in zip(names, counts, strict=True)},
    )
