"""Scoring positions on windows beside vectorbt, the paired bootstrap beside arch, and the backtest of a large universe.

Both sides of the first row trade the same weekly positions of 20 symbols over 50 windows of a year, at the same costs, and
compute Sharpe, Sortino, drawdown, Calmar, annual return and hit rate. vectorbt (extra ``oracles``) compiles its loops at
the first call, which the warm-up pair takes. The second row draws as many circular blocks of both series as arch does,
and computes the difference of Sharpe ratios with its studentised interval; arch is given the same statistic, without the
standard error of each draw.
"""

from __future__ import annotations

import numpy as np

from benchmarks._harness import compare
from ordinis_learn.bench import run_backtest
from ordinis_learn.evaluation import compare_sharpe, compute_metrics

SESSIONS, SYMBOLS, WINDOWS = 252, 20, 50
FEE_BPS, SLIPPAGE_BPS = 1.0, 5.0


def run(*, quick):
    windows = 5 if quick else WINDOWS
    draws = 1_000 if quick else 10_000
    work = [market(seed, symbols=SYMBOLS) for seed in range(windows)]
    yield compare(
        f"score {windows} windows × {SYMBOLS} symbols × 1 year",
        ours=lambda _: lambda: [scored(*one) for one in work],
        reference_name="vectorbt, a portfolio per window",
        reference=lambda _: lambda: [by_vectorbt(*one) for one in work],
        runs=3,
    )
    pairs = [pair(seed) for seed in range(windows)]
    yield compare(
        f"paired bootstrap of {windows} windows, {draws:,} draws each",
        ours=lambda _: lambda: [compare_sharpe(*one, seed=1, draws=draws, block_length=6) for one in pairs],
        reference_name="arch.CircularBlockBootstrap per window",
        reference=lambda _: lambda: [by_arch(one, draws=draws) for one in pairs],
        runs=1,
    )
    large = market(0, symbols=500)
    yield compare(
        "backtest and score 500 symbols over a year",
        ours=lambda _: lambda: scored(*large),
        reference_name="vectorbt",
        reference=lambda _: lambda: by_vectorbt(*large),
        runs=3,
    )


def market(seed, *, symbols):
    """Return closes and equal-weight long/short targets that change weekly, shapes (T, N)."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.012, (SESSIONS, symbols)), axis=0))
    signs = rng.choice([-1.0, 0.0, 1.0], (SESSIONS // 5 + 1, symbols))
    return close, np.repeat(signs, 5, axis=0)[:SESSIONS] / symbols


def scored(close, target):
    result = run_backtest(close, target, fee_bps=FEE_BPS, slippage_bps=SLIPPAGE_BPS)
    return compute_metrics(result.returns, turnover=result.turnover, exposure=result.exposure)


def by_vectorbt(close, target):
    import vectorbt as vbt

    shifted = np.vstack([np.full((1, target.shape[1]), np.nan), target[:-1]])
    portfolio = vbt.Portfolio.from_orders(
        close,
        size=shifted,
        size_type="targetpercent",
        fees=FEE_BPS / 1e4,
        slippage=SLIPPAGE_BPS / 1e4,
        group_by=True,
        cash_sharing=True,
        freq="1D",
    )
    returns = portfolio.returns()
    statistics = returns.vbt.returns(freq="1D", year_freq="252D")
    return (
        statistics.sharpe_ratio(),
        statistics.sortino_ratio(),
        statistics.max_drawdown(),
        statistics.calmar_ratio(),
        statistics.annualized(),
        float((returns > 0).mean()),
    )


def pair(seed):
    rng = np.random.default_rng(seed)
    base = rng.normal(0.0003, 0.01, SESSIONS)
    return 0.8 * base + rng.normal(0.0002, 0.006, SESSIONS), base


def by_arch(both, *, draws):
    from arch.bootstrap import CircularBlockBootstrap

    def difference(one, other):
        return one.mean() / one.std(ddof=1) - other.mean() / other.std(ddof=1)

    return CircularBlockBootstrap(6, *both, seed=1).apply(difference, draws)
