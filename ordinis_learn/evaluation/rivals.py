"""The versions that the subject was picked from, on the same sessions, and whether picking them means anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.bench import USUAL_LIMITS, Pack
from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.overfitting import probability_of_overfitting
from ordinis_learn.evaluation.purging import split_windows
from ordinis_learn.evaluation.track import run_track, sessions_in
from ordinis_learn.market import FeatureCube
from ordinis_learn.models import SignalModel
from ordinis_learn.records import ModelArtifact, OverfittingFigures, TradingLimits

__all__ = ["Rival", "common_sessions", "judge_choice", "judge_columns"]

Float1D = npt.NDArray[np.float64]
Bool1D = npt.NDArray[np.bool_]

_BLOCKS: Final = 16
_LEAST_SHARE: Final = 0.5
_LEAST_VARIATION: Final = 1e-6
"""Of the largest return, as the test itself asks for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rival:
    """Another version of the subject's name, loaded."""

    artifact: ModelArtifact
    model: SignalModel


def judge_choice(
    own: Float1D,
    *,
    version: str,
    keep: Bool1D,
    rivals: Sequence[Rival],
    left_out: Mapping[str, str],
    cube: FeatureCube,
    pack: Pack,
    fee_bps: float,
    slippage_bps: float,
    limits: TradingLimits = USUAL_LIMITS,
) -> tuple[OverfittingFigures | None, dict[str, str]]:
    """Estimate how likely the best of the versions in sample is no better than their median out of sample.

    Every candidate is run over the pack like the subject. Judged are sessions that no candidate's training has
    touched. A rival is left out, by version and with the reason, where it has seen more than half of the
    subject's sessions, cannot be run, or hardly trades.

    Parameters
    ----------
    own : array, shape (T,)
        The subject's returns over the whole pack; ``keep`` marks the sessions it is judged on.
    left_out : mapping of str to str
        Rivals that could not even be loaded.

    Returns
    -------
    OverfittingFigures or None, dict of str to str
        None, with the reason under ``overfitting``, where there is nothing to judge.
    """
    keep, admitted, outside = common_sessions(keep, rivals=rivals, pack=pack)
    outside = dict(left_out) | outside
    columns = {version: own}
    for rival in admitted:
        try:
            track = run_track(
                rival.model,
                cube=cube,
                pack=pack,
                fee_bps=fee_bps,
                slippage_bps=slippage_bps,
                limits=limits,
            )
        except EvalFailed as error:
            outside[rival.artifact.version] = error.found
            continue
        columns[rival.artifact.version] = track.returns
    return judge_columns(
        {name: returns[keep] for name, returns in columns.items()}, subject=version, outside=outside
    )


def common_sessions(
    keep: Bool1D, *, rivals: Sequence[Rival], pack: Pack
) -> tuple[Bool1D, list[Rival], dict[str, str]]:
    """Return the sessions of ``keep`` that no admitted rival has seen, who is admitted, and why others are not."""
    admitted: list[Rival] = []
    outside: dict[str, str] = {}
    wanted = _LEAST_SHARE * np.count_nonzero(keep)
    for rival in rivals:
        try:
            horizon = rival.model.horizon_sessions
            windows, _ = split_windows(pack, artifact=rival.artifact, horizon_sessions=horizon)
        except EvalFailed as error:
            outside[rival.artifact.version] = error.found
            continue
        shared = keep & sessions_in(windows, pack=pack)
        if np.count_nonzero(shared) < wanted:
            outside[rival.artifact.version] = "was trained on more than half of the sessions"
            continue
        keep = shared
        admitted.append(rival)
    return keep, admitted, outside


def judge_columns(
    columns: Mapping[str, Float1D], *, outside: Mapping[str, str], subject: str | None = None
) -> tuple[OverfittingFigures | None, dict[str, str]]:
    """Judge the choice among return series of the same sessions, by version; ``subject`` must be among them."""
    flat = {name for name, returns in columns.items() if not _trades(returns)}
    outside = dict(outside) | dict.fromkeys(sorted(flat), "hardly trades: flat in half of the blocks or more")
    columns = {name: returns for name, returns in columns.items() if name not in flat}
    if len(columns) < 2 or (subject is not None and subject not in columns):
        others = "; ".join(f"version {name} {why}" for name, why in outside.items()) or "no other version"
        return None, {"overfitting": f"undefined: {others}"}
    try:
        found = probability_of_overfitting(np.column_stack(list(columns.values())), blocks=_BLOCKS)
    except EvalFailed as error:
        return None, {"overfitting": f"undefined: {error.found}"}
    return (
        OverfittingFigures(
            probability=found.probability,
            loss_probability=found.loss_probability,
            degradation=found.degradation,
            blocks=_BLOCKS,
            splits=len(found.logits),
            sessions=len(next(iter(columns.values()))),
            candidates=tuple(sorted(columns, key=int)),
            left_out=dict(outside),
        ),
        {},
    )


def _trades(returns: Float1D) -> bool:
    """Whether returns vary in more than half of the blocks, hence in every half of them."""
    if len(returns) < 2 * _BLOCKS:
        return bool(returns.any())  # too short for blocks: the test says so itself
    largest = np.abs(returns).max()
    parts = returns[len(returns) % _BLOCKS :].reshape(_BLOCKS, -1)
    return int(np.count_nonzero(parts.std(axis=1) > _LEAST_VARIATION * largest)) > _BLOCKS // 2
