"""A small desk on real prices: five years of events, a dataset, a pack, a registered rule."""

from __future__ import annotations

import os
import shutil
from datetime import date

import pytest

from ordinis_learn import open_engine
from ordinis_learn.market import load_sp500, replay
from ordinis_learn.use_cases.generate_pack import generate_bench_pack, pack_spec

SETTINGS = {
    "learn_min_samples": 500,
    "bench_years_lookback": 1,
    "bench_windows_months": (3, 6),
    "bench_packs_per_universe": 6,
    "actor": "researcher",
}
WINDOW = {"start": "1991-01-02", "end": "1993-12-31"}


@pytest.fixture(scope="session")
def grown_home(tmp_path_factory):
    """A home that no test changes; ``desk`` copies it."""
    home = tmp_path_factory.mktemp("grown")
    history = load_sp500().between(date(1990, 1, 2), date(1995, 12, 29))
    with open_engine(home=home, **SETTINGS) as engine:
        bench = engine.workbench
        bench.recorder.record_events(replay(history, seed=7))
        engine.build_dataset("core", WINDOW)
        generate_bench_pack(
            bench, pack_spec(bench.settings, pack_id="bench_core_v1", seed=7, end=date(1995, 6, 30))
        )
    return home


@pytest.fixture
def desk(grown_home, tmp_path, monkeypatch):
    """A home of the test's own."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "desk"
    shutil.copytree(grown_home, home)
    return home


@pytest.fixture
def engine(desk):
    with open_engine(home=desk, **SETTINGS) as opened:
        yield opened
