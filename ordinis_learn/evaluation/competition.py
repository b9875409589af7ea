"""Several candidates against one benchmark: is the best of them better, once picking it is taken into account.

The test of superior predictive ability (Hansen 2005, *Journal of Business & Economic Statistics* 23(4)) asks whether
any candidate is better, its stepwise form (Romano & Wolf 2005, *Econometrica* 73(4)) which; both are those of the
package ``arch``. They compare means, so returns are scaled to equal volatility first: a difference of means is
then one of Sharpe ratios per session. The scale is taken as known, which makes the test a little too sure on few
sessions. For one candidate use :func:`ordinis_learn.evaluation.evaluate_model`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import USUAL_LIMITS, Pack
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation.deflated import probabilistic_sharpe, return_shape
from ordinis_learn.evaluation.metrics import SESSIONS_PER_YEAR, sharpe_ratio
from ordinis_learn.evaluation.multiplicity import holm
from ordinis_learn.evaluation.purging import Overlap, split_windows
from ordinis_learn.evaluation.rivals import Rival, judge_columns
from ordinis_learn.evaluation.sharpe_tests import compare_sharpe, default_block_length
from ordinis_learn.evaluation.track import run_track, sessions_in
from ordinis_learn.market import compute_features
from ordinis_learn.models import SignalModel
from ordinis_learn.ports import Clock
from ordinis_learn.records import (
    BenchWindow,
    Competition,
    Contender,
    ModelRef,
    PairedDifference,
    TradingLimits,
)

__all__ = ["compete"]

Float1D = npt.NDArray[np.float64]

_METHOD: Final = (
    "SPA (Hansen 2005) and StepM (Romano & Wolf 2005), circular blocks, returns at equal volatility"
)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """What one candidate shows by itself."""

    difference: PairedDifference | None
    p_value: float
    quality: str = ""


def compete(
    rivals: Sequence[Rival],
    *,
    benchmark: SignalModel | None,
    benchmark_ref: ModelRef | None,
    pack: Pack,
    fee_bps: float,
    slippage_bps: float,
    seed: int,
    clock: Clock,
    code_commit: str,
    overlap: Overlap = "purge",
    alpha: float = 0.05,
    draws: int = 2000,
    limits: TradingLimits = USUAL_LIMITS,
) -> Competition:
    """Judge two or more versions of one name together, on windows that none of them has seen.

    Parameters
    ----------
    benchmark, benchmark_ref : optional
        What they must beat; cash where None.
    overlap : "purge" or "refuse"
        What to do with windows that any candidate's training has touched.
    alpha : float
        Of the stepwise test and of each interval.
    limits : TradingLimits
        What each of them may hold.

    Raises
    ------
    ConfigInvalid
        Fewer than two candidates, one given twice, or the package ``arch`` is not installed.
    EvalFailed
        No window is left, or fewer than two candidates trade.
    """
    versions = [rival.artifact.version for rival in rivals]
    asked = f"let versions {', '.join(versions)} compete on {pack.manifest.pack_id!r}"
    if len(set(versions)) != len(versions) or len(versions) < 2:
        raise ConfigInvalid(
            asked, found=f"{len(set(versions))} different versions", next_step="name two or more"
        )
    kept, purged = _windows(rivals, pack=pack, overlap=overlap, asked=asked)
    keep = sessions_in(kept, pack=pack)
    cube = compute_features(pack.history)

    def returns_of(model: SignalModel) -> Float1D:
        track = run_track(
            model, cube=cube, pack=pack, fee_bps=fee_bps, slippage_bps=slippage_bps, limits=limits
        )
        return track.returns[keep]

    columns = {rival.artifact.version: returns_of(rival.model) for rival in rivals}
    against = np.zeros(int(keep.sum())) if benchmark is None else returns_of(benchmark)
    length = default_block_length(len(against))
    together = _together(
        columns, against, asked=asked, block_length=length, draws=draws, alpha=alpha, seed=seed
    )
    overfitting, quality = judge_columns(columns, outside={})
    return Competition(
        name=rivals[0].artifact.name,
        benchmark=benchmark_ref,
        pack_id=pack.manifest.pack_id,
        pack_hash=pack.manifest.manifest_hash,
        sessions=len(against),
        purged_windows=purged,
        contenders=_contenders(
            rivals, columns, against, better=together["better"], alpha=alpha, draws=draws, seed=seed
        ),
        overfitting=overfitting,
        quality=quality,
        alpha=alpha,
        block_length=length,
        draws=draws,
        method=_METHOD,
        seed=seed,
        code_commit=code_commit,
        created_at=clock(),
        **together["p_values"],
    )


def _windows(
    rivals: Sequence[Rival], *, pack: Pack, overlap: Overlap, asked: str
) -> tuple[tuple[BenchWindow, ...], tuple[str, ...]]:
    """Return the windows that no candidate has seen, and the names of the others."""
    seen: set[str] = set()
    for rival in rivals:
        _, purged = split_windows(
            pack,
            artifact=rival.artifact,
            horizon_sessions=rival.model.horizon_sessions,
            overlap=overlap,
        )
        seen |= {window.window_id for window in purged}
    kept = tuple(window for window in pack.manifest.windows if window.window_id not in seen)
    if not kept:
        raise EvalFailed(
            asked,
            found=f"each of the {len(pack.manifest.windows)} windows was seen by some candidate in training",
            next_step="let versions of one training span compete, or generate a pack with later windows",
        )
    return kept, tuple(window.window_id for window in pack.manifest.windows if window.window_id in seen)


def _together(
    columns: Mapping[str, Float1D],
    against: Float1D,
    *,
    asked: str,
    block_length: int,
    draws: int,
    alpha: float,
    seed: int,
) -> dict[str, Any]:
    trading = {name: returns for name, returns in columns.items() if returns.std() > 0}
    if len(trading) < 2:
        raise EvalFailed(
            asked,
            found=f"{len(trading)} of {len(columns)} candidates trade at all",
            next_step="name at least two that do",
        )
    names = list(trading)
    found = _superior_ability(asked)(
        -_unit(against),
        -np.column_stack([_unit(trading[name]) for name in names]),
        block_length=block_length,
        draws=draws,
        alpha=alpha,
        seed=seed,
    )
    return {
        "better": {names[column] for column in found.better},
        "p_values": {
            "p_lower": found.p_lower,
            "p_consistent": found.p_consistent,
            "p_upper": found.p_upper,
        },
    }


def _contenders(
    rivals: Sequence[Rival],
    columns: Mapping[str, Float1D],
    against: Float1D,
    *,
    better: set[str],
    alpha: float,
    draws: int,
    seed: int,
) -> tuple[Contender, ...]:
    outcomes = {
        name: _outcome(returns, against, alpha=alpha, draws=draws, seed=seed)
        for name, returns in columns.items()
    }
    adjusted = holm({name: outcome.p_value for name, outcome in outcomes.items()})
    made = []
    for rival in rivals:
        artifact = rival.artifact
        outcome = outcomes[artifact.version]
        made.append(
            Contender(
                subject=ModelRef(
                    name=artifact.name, version=artifact.version, artifact_sha256=artifact.artifact_sha256
                ),
                sharpe=sharpe_ratio(columns[artifact.version]),
                difference=outcome.difference,
                p_value=outcome.p_value,
                adjusted_p_value=adjusted[artifact.version],
                better=artifact.version in better,
                quality=outcome.quality,
            )
        )
    return tuple(made)


def _outcome(returns: Float1D, against: Float1D, *, alpha: float, draws: int, seed: int) -> _Outcome:
    if not against.any():
        skewness, kurtosis = return_shape(returns)
        sharpe = sharpe_ratio(returns) / np.sqrt(SESSIONS_PER_YEAR)
        sure = probabilistic_sharpe(sharpe, periods=len(returns), skewness=skewness, kurtosis=kurtosis)
        return _Outcome(
            difference=None, p_value=1.0 - sure, quality="compared with cash, which has no Sharpe ratio"
        )
    try:
        difference = compare_sharpe(returns, against, seed=seed, alpha=alpha, draws=draws)
    except EvalFailed as error:
        return _Outcome(difference=None, p_value=np.nan, quality=f"undefined: {error.found}")
    return _Outcome(difference=difference, p_value=difference.p_value)


def _unit(returns: Float1D) -> Float1D:
    """Scale to a standard deviation of one per session; cash stays cash."""
    deviation = returns.std(ddof=1)
    scaled: Float1D = returns / deviation if deviation > 0 else returns
    return scaled


def _superior_ability(asked: str) -> Any:
    try:
        from ordinis_learn.evaluation._arch import superior_ability  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigInvalid(
            asked, found="the package arch is not installed", next_step="pip install 'ordinis-learn[compete]'"
        ) from error
    return superior_ability
