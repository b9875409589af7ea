"""Whether a model says in one batch what it said event by event."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.rollout.replay import NO_PARITY
from ordinis_learn.shadow.answer import Outcome
from ordinis_learn.shadow.feed import FeatureFeed
from ordinis_learn.shadow.runner import AskableModel

__all__ = ["live_parity"]

_BLOCK_ROWS: Final = 8192
_COMPARED: Final = ("direction", "confidence", "expected_return")


def live_parity(
    model: AskableModel, kept: dict[str, npt.NDArray[Any]], *, feed: FeatureFeed, position: int
) -> float:
    """Return the largest absolute difference between what was kept and a batch over the log's rows of now.

    The features are read again from the log, so a log that no longer says what it said has no parity either. Compared are
    direction, confidence and expected return of every row that was scored; a value that only one of the two has,
    and a row that the log lost, counts as :data:`~ordinis_learn.rollout.replay.NO_PARITY`.
    """
    scored = np.flatnonzero(kept["candidate_outcome"] == Outcome.SCORED.value)
    if not len(scored):
        return 0.0
    events = feed.read(after=0, until=position, names=model.feature_names)
    order = np.argsort(events.position)
    place = np.searchsorted(events.position[order], kept["position"][scored])
    found = np.append(events.position[order], -1)[place] == kept["position"][scored]
    if not found.all():
        return NO_PARITY
    rows = events.values[order[place]]
    return max(
        _difference(model, rows[begin : begin + _BLOCK_ROWS], kept, scored[begin : begin + _BLOCK_ROWS])
        for begin in range(0, len(rows), _BLOCK_ROWS)
    )


def _difference(
    model: AskableModel,
    rows: npt.NDArray[np.float64],
    kept: dict[str, npt.NDArray[Any]],
    places: npt.NDArray[np.intp],
) -> float:
    batch = model.ask(rows)
    largest = 0.0
    for name in _COMPARED:
        live, again = kept[f"candidate_{name}"][places], getattr(batch, name)
        both, neither = np.isfinite(live) & np.isfinite(again), np.isnan(live) & np.isnan(again)
        apart = np.abs(np.where(both, live, 0.0) - np.where(both, again, 0.0))
        largest = max(largest, float(np.where(both, apart, np.where(neither, 0.0, NO_PARITY)).max()))
    return largest
