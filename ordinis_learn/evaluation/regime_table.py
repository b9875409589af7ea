"""Both models over the windows that carry one regime, regime by regime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import Pack
from ordinis_learn.evaluation.metrics import max_drawdown
from ordinis_learn.evaluation.track import Track, sessions_in
from ordinis_learn.records import BenchWindow, Regime, RegimeRow

__all__ = ["regime_table"]


def regime_table(
    own: Track, other: Track | None, *, windows: Sequence[BenchWindow], pack: Pack
) -> tuple[RegimeRow, ...]:
    """Return a row per regime that occurs, over the union of its windows' sessions."""
    rows = []
    for regime in Regime:
        tagged = tuple(window for window in windows if regime in window.regimes)
        if not tagged:
            continue
        keep = sessions_in(tagged, pack=pack)
        rows.append(
            RegimeRow(
                regime=regime,
                windows=len(tagged),
                sessions=int(keep.sum()),
                subject=_metrics(own, keep=keep, windows=tagged, pack=pack),
                baseline=_metrics(other, keep=keep, windows=tagged, pack=pack) if other else {},
            )
        )
    return tuple(rows)


def _metrics(
    track: Track, *, keep: npt.NDArray[np.bool_], windows: Sequence[BenchWindow], pack: Pack
) -> dict[str, float]:
    """Return the metrics over ``keep``, with the drawdown of the worst single window.

    Crises years apart are no single fall: chained into one curve they show a drawdown nobody lived through.
    """
    values = track.measure(keep).values
    worst = max(max_drawdown(track.returns[sessions_in((window,), pack=pack)]) for window in windows)
    return values | {"max_drawdown": worst, "calmar": values["cagr"] / worst if worst > 0 else np.nan}
