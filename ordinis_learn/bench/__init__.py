"""Benchmark packs: windows, regimes, stress periods, and the backtest that runs on them."""
