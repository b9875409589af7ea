"""A shadow over a desk's own log: typed, restarted, followed from a bus, and compared with a replay of the same sessions."""

from __future__ import annotations

import asyncio
import json
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ordinis_learn.bus import Backoff, InMemoryBus, Subscription, record_from_bus
from ordinis_learn.cli import main
from ordinis_learn.errors import DataMissing, StoreUnavailable
from ordinis_learn.records import Topic, file_sha256
from ordinis_learn.shadow.store import ShadowStore
from ordinis_learn.use_cases.shadow import shadow
from ordinis_learn.use_cases.shadow_live import ScoringRecorder
from ordinis_learn.use_cases.shadow_run import report_shadow, shadow_runner


def catch_up(bench, **options):
    with shadow_runner(bench, "desk_model", "1", source="signals") as runner:
        return [progress.rows for progress in runner.catch_up(**options)]


@pytest.mark.slow
def test_a_fitted_model_says_live_what_it_says_in_a_replay_of_the_same_sessions(engine, desk, monkeypatch):
    bench = engine.workbench
    trained = engine.train({"name": "desk_model", "dataset": "core", "rounds": 20, "folds": 2, "seed": 3})
    with pytest.raises(DataMissing, match="shadow run desk_model 1"):
        report_shadow(bench, "desk_model", "1")
    half = bench.log.position() // 2
    first = catch_up(bench, until=half)
    again = catch_up(bench)
    signals = bench.log.counts()[Topic.SIGNAL.value]
    assert sum(first) + sum(again) == signals
    assert catch_up(bench) == []

    live = report_shadow(bench, "desk_model", "1")
    assert bench.registry.shadow_report("desk_model", "1").content_hash() == live.content_hash()
    assert live.parity_max_abs_diff == 0.0
    assert (live.errors, live.nan_predictions, live.active) == (0, 0, None)
    assert live.start.date() > date.fromisoformat(trained.trained_until[:10])
    assert (live.figures.events, live.figures.late, live.figures.repeated) == (signals, 0, 0)
    written = bench.settings.shadow_dir / "desk_model" / "1.parquet"
    assert file_sha256(written) == live.predictions_sha256
    said = pq.read_table(written).to_pandas().set_index(["ts_event", "symbol"])

    # The replay computes the features from bars; the desk decides every fifth session, as a replay does.
    replayed = shadow(bench, trained.artifact_id, start=live.start.date(), end=live.end.date())
    assert replayed.decisions == live.decisions
    assert replayed.figures is None
    rows = pq.read_table(written).to_pandas()
    by_session = dict(zip(said.index.get_level_values(0), said.index.get_level_values(0), strict=True))
    closes = {
        np.datetime64(int(moment), "us").astype("datetime64[D]").item(): moment for moment in by_session
    }
    for row in rows.itertuples():
        kept = said.loc[(closes[row.session], row.symbol)]
        assert kept.candidate_direction == row.direction
        assert kept.candidate_confidence == pytest.approx(row.confidence, abs=1e-12)

    monkeypatch.setenv("ORDINIS_ACTOR", "researcher")
    shown = CliRunner().invoke(main, ["--home", str(desk), "shadow", "report", "desk_model", "1"])
    assert shown.exit_code == 0, shown.output
    assert f"{live.decisions} decisions, 0 paired" in shown.output
    assert "parity 0, errors 0, NaN 0" in shown.output
    typed = CliRunner().invoke(
        main, ["--home", str(desk), "shadow", "run", "desk_model", "1", "--source", "features"]
    )
    assert typed.exit_code == 1
    assert "was begun with source 'signals'" in typed.output


def test_what_comes_from_the_bus_is_recorded_and_scored_once_before_it_is_acknowledged(engine):
    bench = engine.workbench
    engine.train({"name": "desk_model", "model": "rule"})
    features = {
        name: 0.1 * number
        for number, name in enumerate(bench.catalogue.dataset("core").feature_names)
        if not name.startswith("_")
    }
    features = {name.removeprefix("f_"): value for name, value in features.items()}

    def body(number):
        moment = f"1996-01-{2 + number:02d}T21:00:00Z"
        event = {
            "event_id": f"live-{number}",
            "event_type": Topic.FEATURES.value,
            "schema_version": "1.0.0",
            "ts_event": moment,
            "ts_ingest": moment,
            "source": "desk",
            "correlation_id": "c",
            "partition_key": "AAPL",
            "tags": {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"},
            "payload": {"symbol": "AAPL", "tf": "1d", "feature_version": "close_v1", "features": features},
        }
        return json.dumps(event).encode()

    async def live(runner):
        async with InMemoryBus() as bus:
            for number in (0, 1, 2, 1):  # delivered at least once
                await bus.publish(Topic.FEATURES.value, body(number), event_id=f"m-{number}", key="AAPL")
            return await record_from_bus(
                bus,
                ScoringRecorder(bench.recorder, runner, set_aside=pytest.fail),
                subscription=Subscription(topics=(Topic.FEATURES.value,), batch_size=2),
                stop=asyncio.Event(),
                drain=True,
                backoff=Backoff(attempts=2),
            )

    with shadow_runner(bench, "desk_model", "1", source="features") as runner:
        with (
            pytest.raises(StoreUnavailable, match="runs it already"),
            shadow_runner(bench, "desk_model", "1", source="features"),
        ):
            pass
        receipt = asyncio.run(live(runner))
    assert receipt.accepted == 3
    with ShadowStore(bench.settings.shadow_dir / "desk_model" / "1.db") as store:
        kept = store.columns()
        assert store.position == bench.log.position()
    assert kept["event_id"].tolist() == ["live-0", "live-1", "live-2"]
    assert set(kept["candidate_outcome"]) == {"scored"}
