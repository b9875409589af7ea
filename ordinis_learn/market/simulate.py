"""Simulated prices, for tests of the whole loop where real prices cannot say what is true.

Nothing here is a claim about markets. The planted edge exists so that a test can tell a learner that
finds it from one that does not, and its end so that a test can tell whether drift is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market.history import PriceHistory

__all__ = ["simulate_history"]

_YEAR: Final = 252
_FIRST_SESSION: Final = date(2000, 1, 3)
_EDGE_SESSIONS: Final = 6
_FAST, _SLOW = 20, 60

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]


def simulate_history(
    *,
    sessions: int,
    symbols: int,
    seed: int,
    edge: float = 0.0,
    shift_at: int | None = None,
    annual_drift: float = 0.05,
    first_session: date = _FIRST_SESSION,
) -> PriceHistory:
    """Simulate correlated daily prices of a universe and its index. For tests; not real prices.

    Log returns are a market factor times a beta plus a part of the symbol's own, each with a
    log-normal autoregressive volatility (a discrete stochastic volatility model after Taylor 1982). The
    index moves with the factor, with about 15 % annual volatility, and everything drifts up by ``annual_drift``.

    The planted edge: where a symbol's volatility is falling (``vol_ratio`` < 1) its 20-session z-score
    continues, where it is rising the z-score reverses. The log return of the following six sessions together is raised by
    ``edge * state`` with ``state = tanh(2 (1 - vol_ratio) / 0.15) * tanh(z_20)``, both as
    :func:`~ordinis_learn.market.compute_features` has them. A rule that is linear in ``z_20`` cannot use it.

    Parameters
    ----------
    sessions, symbols : int
        Shape of the history; sessions are Mondays to Fridays from ``first_session`` on.
    seed : int
        A longer history with the same seed begins with the same prices.
    edge : float
        What a full state adds to the log return of six sessions; 0 plants nothing, 0.004 is easily found.
    shift_at : int, optional
        From this session on volatility is 2.5 times as high and the edge is gone.
    annual_drift : float
        What the market's log return is expected to be in a year.
    first_session : date
        The first session, if it is a business day, else the next one.

    Returns
    -------
    PriceHistory
        Closes of shape (sessions, symbols), none of them NaN; symbols are called SIM00, SIM01, ...

    Examples
    --------
    >>> history = simulate_history(sessions=500, symbols=3, seed=1)
    >>> history.close.shape, history.symbols, str(history.sessions[0])
    ((500, 3), ('SIM00', 'SIM01', 'SIM02'), '2000-01-03')
    """
    if sessions < 1 or symbols < 1:
        raise ConfigInvalid(
            "simulate a price history",
            found=f"sessions={sessions}, symbols={symbols}",
            next_step="use at least one session and one symbol",
        )
    noise = _draw_noise(
        sessions=sessions, symbols=symbols, seed=seed, shift_at=shift_at, annual_drift=annual_drift
    )
    strength = np.full(sessions, edge)
    strength[sessions if shift_at is None else shift_at :] = 0.0
    log_close = np.log(100.0) + _with_edge(noise.own, strength)
    return PriceHistory(
        sessions=np.busday_offset(np.datetime64(first_session, "D"), np.arange(sessions), roll="forward"),
        symbols=tuple(f"SIM{number:02d}" for number in range(symbols)),
        close=np.exp(log_close),
        index_close=1_000.0 * np.exp(np.cumsum(noise.market)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Noise:
    """Daily log returns without the edge: ``market`` of shape (T,), ``own`` (with the market's part) (T, N)."""

    market: Float1D
    own: Float2D


def _draw_noise(
    *, sessions: int, symbols: int, seed: int, shift_at: int | None, annual_drift: float
) -> _Noise:
    factor, factor_vol, own, own_vol, traits = np.random.default_rng(seed).spawn(5)
    beta = traits.uniform(0.7, 1.3, symbols)
    own_level = traits.uniform(0.15, 0.30, symbols)
    level = np.ones(sessions)
    level[sessions if shift_at is None else shift_at :] = 2.5
    market_vol = 0.14 * _volatility_path(factor_vol.standard_normal((sessions, 1)))[:, 0]
    symbol_vol = own_level * _volatility_path(own_vol.standard_normal((sessions, symbols)))
    market = level * market_vol * factor.standard_normal(sessions) / np.sqrt(_YEAR) + annual_drift / _YEAR
    idiosyncratic = level[:, None] * symbol_vol * own.standard_normal((sessions, symbols)) / np.sqrt(_YEAR)
    return _Noise(market=market, own=market[:, None] * beta + idiosyncratic)


def _volatility_path(shocks: Float2D) -> Float2D:
    """Turn shocks (T, N) into volatility around 1: an AR(1) in logs, coefficient 0.97, deviation 0.35."""
    persistence, deviation = 0.97, 0.35
    innovation = deviation * np.sqrt(1.0 - persistence**2)
    logs = np.empty_like(shocks)
    current = deviation * shocks[0]
    for session, shock in enumerate(shocks):
        current = persistence * current + innovation * shock if session else current
        logs[session] = current
    return np.exp(logs)


def _with_edge(returns: Float2D, strength: Float1D) -> Float2D:
    """Add up returns, each raised by the states of the sessions before it; return log closes (T, N)."""
    planted = returns.copy()
    log_close = np.cumsum(returns, axis=0)
    if not strength.any():
        return log_close
    states = np.zeros_like(returns)
    for session in range(len(returns)):
        recent = states[max(0, session - _EDGE_SESSIONS) : session]
        planted[session] += strength[session] / _EDGE_SESSIONS * recent.sum(axis=0)
        log_close[session] = planted[session] + (log_close[session - 1] if session else 0.0)
        if session >= _SLOW:
            states[session] = _state(planted, log_close, session)
    return log_close


def _state(returns: Float2D, log_close: Float2D, session: int) -> Float1D:
    fast = returns[session + 1 - _FAST : session + 1].std(axis=0, ddof=1)
    slow = returns[session + 1 - _SLOW : session + 1].std(axis=0, ddof=1)
    closes = np.exp(log_close[session + 1 - _FAST : session + 1])
    z_score = (closes[-1] - closes.mean(axis=0)) / closes.std(axis=0, ddof=1)
    calm = np.tanh(2.0 * (1.0 - fast / slow) / 0.15)
    state: Float1D = calm * np.tanh(z_score)
    return state
