"""Worthless candidates, and better ones, for the question whether a gate tells them apart.

Each candidate meets the incumbent in a simulated market of its own, so that candidates are independent tries. What is
asked is what a policy asks of scorecards before anything is run in shadow.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.evaluation import Judgement, Track, Tried
from ordinis_learn.evaluation.rivals import judge_columns
from ordinis_learn.evaluation.scorecard import judge_tracks
from ordinis_learn.market import simulate_history
from ordinis_learn.records import (
    DECLARED,
    Actor,
    ModelArtifact,
    ModelRef,
    ModelType,
    Scorecard,
    State,
)
from ordinis_learn.rollout.evidence import Evidence, evidence_hash
from ordinis_learn.rollout.policy import Policy, RuleSpec
from ordinis_learn.rollout.rules import RULES, Context

__all__ = [
    "BETTER",
    "OFFLINE",
    "WORTHLESS",
    "draw_pair",
    "paired_scorecard",
    "passes_offline",
    "placebo_context",
]

Float1D = npt.NDArray[np.float64]
Candidate = Callable[[np.random.Generator, Float1D, Float1D], Float1D]

OFFLINE: Final = frozenset(
    {
        "delta_sharpe",
        "sharpe_significant",
        "deflated_sharpe",
        "sharpe_superior",
        "superiority_family",
        "sharpe_after_trials",
        "track_record",
        "overfitting",
        "drawdown_tolerance",
        "error_rate_not_higher",
        "quarantine_rate_not_higher",
    }
)
"""Rules about what scorecards say; latency is no matter of a simulated record."""
_OF_BLOCKS: Final = frozenset({"sharpe_significant", "sharpe_superior", "superiority_family"})
"""Those that read the bootstrap, hence the block length."""

_SESSIONS: Final = 2500
_TRIALS: Final = 12
_TRIAL_DEVIATION: Final = 0.01
"""Of the per-session Sharpe ratios of the trials, about 0.16 a year."""
_PACK: Final = "bench_core_v1"
_NOW: Final = datetime(2022, 12, 28, 21, tzinfo=UTC)
_SUBJECT: Final = ModelRef(name="placebo", version="2", artifact_sha256="a" * 64)
_INCUMBENT: Final = ModelRef(name="placebo", version="1", artifact_sha256="b" * 64)


def _weekly(rng: np.random.Generator, choices: list[float]) -> Float1D:
    return np.repeat(rng.choice(choices, _SESSIONS // 5), 5)


def _random_exposure(rng: np.random.Generator, market: Float1D, position: Float1D) -> Float1D:
    return market * position * _weekly(rng, [0.0, 1.0, 1.0, 1.0, 1.0])


def _lagged(rng: np.random.Generator, market: Float1D, position: Float1D) -> Float1D:
    return market * np.roll(position, 5 * int(rng.integers(1, 100)))


def _sign_flipped(rng: np.random.Generator, market: Float1D, position: Float1D) -> Float1D:
    return market * position * _weekly(rng, [-1.0, 1.0, 1.0, 1.0])


def _noisy(rng: np.random.Generator, market: Float1D, position: Float1D) -> Float1D:
    return market * position + rng.normal(0.0, 0.3 * (market * position).std(), _SESSIONS)


def _planted(rng: np.random.Generator, market: Float1D, position: Float1D) -> Float1D:
    spread = 0.4 * (market * position).std()
    return market * position + rng.normal(2.0 / np.sqrt(252) * spread, spread, _SESSIONS)


WORTHLESS: Final = MappingProxyType(
    {
        "random_exposure": _random_exposure,
        "lagged": _lagged,
        "sign_flipped": _sign_flipped,
        "noisy": _noisy,
    }
)
"""The incumbent out of the market one week in five, late by weeks, the wrong way one week in four, and with noise."""

BETTER: Final = MappingProxyType({"planted": _planted})
"""The incumbent and a second source of return: annual Sharpe ratio 2, two fifths of its volatility."""


def draw_pair(kind: str, *, seed: int) -> tuple[Float1D, Float1D]:
    """Return the daily returns of a candidate and of its incumbent, shape (2500,) each.

    Examples
    --------
    >>> own, incumbent = draw_pair("planted", seed=1)
    >>> own.shape == incumbent.shape == (2500,)
    True
    """
    make: Candidate = (WORTHLESS | BETTER)[kind]
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    drawn = int(rng.integers(1 << 31))
    index = simulate_history(sessions=_SESSIONS + 1, symbols=1, seed=drawn, annual_drift=0.08).index_close
    market = np.diff(index) / index[:-1]
    position = _weekly(rng, [0.5, 1.0])
    return make(rng, market, position), market * position


def passes_offline(kind: str, *, seed: int, policy: Policy, judgement: Judgement) -> bool:
    """Draw one candidate and tell whether it passes every rule of a policy about its scorecard.

    What no block length can change is asked first: a candidate that fails there has failed, and its block length need
    not be calibrated. The answer is the same.

    Parameters
    ----------
    kind : str
        Of :data:`WORTHLESS` or :data:`BETTER`.
    seed : int
        The same one gives the same candidate, market and answer.
    policy : Policy
        Its rules for ACTIVE beside an incumbent are asked.
    judgement : Judgement
        How thoroughly.
    """
    pair = draw_pair(kind, seed=seed)
    specs = [
        spec
        for spec in policy.specs(ModelType.SIGNAL_MODEL, to_state=State.ACTIVE, first_model=False)
        if spec.rule in OFFLINE
    ]
    plain = _scorecard(*pair, seed=seed, judgement=replace(judgement, calibrations=0))
    if not _passes(plain, [spec for spec in specs if spec.rule not in _OF_BLOCKS]):
        return False
    return _passes(_scorecard(*pair, seed=seed, judgement=judgement), specs)


def _passes(card: Scorecard, specs: Sequence[RuleSpec]) -> bool:
    context = placebo_context(card)
    return all(RULES[spec.rule].verdict(context, spec.params).passed for spec in specs)


def placebo_context(card: Scorecard) -> Context:
    """Return what a rule may look at where there is one scorecard, and nothing else to find fault with."""
    evidence = Evidence(
        subject=_SUBJECT,
        state=State.SHADOW,
        artifact=_artifact(),
        scorecards={card.pack_id: card},
        incumbent=_INCUMBENT,
    )
    return Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(card.pack_id,),
        to_state=State.ACTIVE,
        requester=Actor(name="researcher", kind="claimed"),
        now=_NOW,
    )


def paired_scorecard(pack_id: str, **found: Any) -> Scorecard:
    """Return the scorecard of a placebo beside its incumbent; what is not given is of no account."""
    unmeasured = {
        "baseline_metrics": {},
        "windows": 1,
        "trials": 1,
        "seed": 0,
        "errors": 0,
        "error_rate": 0.0,
        "baseline_error_rate": 0.0,
        "probabilistic_sharpe": None,
        "deflated_sharpe": None,
    }
    return Scorecard(
        subject=_SUBJECT,
        baseline=_INCUMBENT,
        pack_id=pack_id,
        pack_hash="6" * 64,
        regimes=(),
        purged_windows=(),
        fee_bps=0.0,
        slippage_bps=0.0,
        dataset_ref=DECLARED,
        code_commit="",
        created_at=_NOW,
        **(unmeasured | found),
    )


def _scorecard(own: Float1D, incumbent: Float1D, *, seed: int, judgement: Judgement) -> Scorecard:
    found = judge_tracks(
        _track(own),
        _track(incumbent),
        keep=np.ones(_SESSIONS, dtype=np.bool_),
        tried=Tried(count=_TRIALS, variance=_TRIAL_DEVIATION**2, earlier_sharpes=()),
        seed=seed,
        judgement=judgement,
    )
    overfitting, undecided = judge_columns({"1": incumbent, "2": own}, outside={}, subject="2")
    system = {"quarantine_rate": 0.0, "baseline_quarantine_rate": 0.0}
    found["statistics"] = found["statistics"].model_copy(
        update={"overfitting": overfitting, "system": system}
    )
    found["metric_quality"] |= undecided
    return paired_scorecard(_PACK, sessions=_SESSIONS, trials=_TRIALS, seed=seed, **found)


def _track(returns: Float1D) -> Track:
    once = np.ones(len(returns))
    return Track(returns=returns, turnover=once, exposure=once, errors=0, error_rate=0.0, quarantine_rate=0.0)


def _artifact() -> ModelArtifact:
    return ModelArtifact(
        artifact_id="placebo",
        model_type=ModelType.SIGNAL_MODEL,
        version=_SUBJECT.version,
        path_ref="",
        metrics={},
        created_at=_NOW.isoformat(),
        data_snapshot_ref=DECLARED,
        name=_SUBJECT.name,
        code_commit="",
        code_dirty=False,
        config_hash="1" * 64,
        env_hash="2" * 64,
        artifact_sha256=_SUBJECT.artifact_sha256,
        seed=0,
        trials=_TRIALS,
    )
