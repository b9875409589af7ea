"""Benchmark packs: windows, regimes, stress periods, and the backtest that runs on them."""

from ordinis_learn.bench.backtest import USUAL_LIMITS, BacktestResult, run_backtest, targets_from_predictions
from ordinis_learn.bench.generator import GENERATOR_VERSION, SESSIONS_PER_MONTH, generate_pack
from ordinis_learn.bench.pack import Pack, load_pack, manifest_hash_of, prices_sha256, write_pack
from ordinis_learn.bench.regimes import VolatilityScale, tag_window, volatility_scale
from ordinis_learn.bench.spec import PackSpec
from ordinis_learn.bench.stress import STRESS_VERSION, STRESS_WINDOWS, StressWindow, stress_between

__all__ = [
    "GENERATOR_VERSION",
    "SESSIONS_PER_MONTH",
    "STRESS_VERSION",
    "STRESS_WINDOWS",
    "USUAL_LIMITS",
    "BacktestResult",
    "Pack",
    "PackSpec",
    "StressWindow",
    "VolatilityScale",
    "generate_pack",
    "load_pack",
    "manifest_hash_of",
    "prices_sha256",
    "run_backtest",
    "stress_between",
    "tag_window",
    "targets_from_predictions",
    "volatility_scale",
    "write_pack",
]
