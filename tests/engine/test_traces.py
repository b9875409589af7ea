"""One trace from the events to the rollout, in one process and across several."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ordinis_learn.capture import EventRecorder
from ordinis_learn.errors import ConfigInvalid, RolloutDenied, StoreUnavailable, TrainFailed
from ordinis_learn.observability import tracing
from ordinis_learn.testing import InMemoryEventLog

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONFIG = {"name": "sp500_signal", "model": "xgboost", "dataset": "core", "rounds": 5, "folds": 0, "seed": 1}


@pytest.fixture
def spans():
    """What is recorded inside the test, by name."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def recorded():
        found = defaultdict(list)
        for span in exporter.get_finished_spans():
            found[span.name].append(span)
        return found

    with tracing.recorded_by(provider):
        yield recorded


def hexadecimal(span):
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_steps_that_know_nothing_of_each_other_are_one_trace(engine, spans):
    bench = engine.workbench
    ref = engine.build_dataset("core", {"start": "1991-01-02", "end": "1993-12-30"})
    artifact = engine.train(CONFIG)
    engine.evaluate(artifact.artifact_id, "bench_core_v1")
    with pytest.raises(RolloutDenied):  # five rounds of boosting; what counts here is that it was asked
        engine.rollout(artifact.artifact_id, {"stage": "active"})
    found = spans()
    chain = [found[f"learn.{name}"][0] for name in ("dataset", "train", "evaluate", "rollout", "gate")]
    assert len({span.context.trace_id for span in chain}) == 1
    dataset, train, evaluate, rollout, gate = chain
    assert dataset.parent is None
    assert train.parent.span_id == dataset.context.span_id
    assert evaluate.parent.span_id == rollout.parent.span_id == train.context.span_id
    assert gate.parent.span_id == rollout.context.span_id
    assert dataset.attributes["ordinis.dataset"] == ref
    assert train.attributes["ordinis.artifact_sha256"] == artifact.artifact_sha256
    assert rollout.attributes["error.type"].startswith("E_LEARN_")
    assert gate.attributes["ordinis.allowed"] is False
    told = {entry["topic"]: entry["payload"] for entry in bench.catalogue.pending_events()}
    trained = told["ordinis.learn.model.trained"]
    assert (trained["trace_id"], trained["span_id"]) == hexadecimal(train)
    from mlflow import MlflowClient

    client = MlflowClient(
        f"sqlite:///{bench.settings.database_path}", f"sqlite:///{bench.settings.database_path}"
    )
    expected = "00-{}-{}-".format(*hexadecimal(train))  # flags follow
    assert client.get_run(artifact.run_id).data.tags["ordinis.traceparent"].startswith(expected)
    assert client.get_model_version("sp500_signal", artifact.version).tags["traceparent"].startswith(expected)


def test_a_failed_training_ends_its_span_with_the_code_and_is_counted(engine, spans):
    class Failing:
        def __getattr__(self, name):
            raise TrainFailed("train", found="a fault of this test", next_step="none")

    from ordinis_learn.use_cases.train import parse_config, train

    bench = replace(engine.workbench, tracker=Failing())
    with pytest.raises(TrainFailed):
        train(bench, parse_config(CONFIG), sleep=lambda _: None)
    (span,) = spans()["learn.train"]
    assert span.attributes["error.type"] == "E_LEARN_TRAIN_FAILED"
    assert not span.events  # an exception's text may quote what it was given
    assert bench.catalogue.failures("train") == {"signal_model": 1}
    with pytest.raises(ConfigInvalid):
        engine.train(CONFIG | {"rounds": -1})
    assert bench.catalogue.failures("train") == {"signal_model": 1}


def test_a_trace_that_cannot_be_kept_stops_nothing(engine, spans):
    class Forgetful:
        def __getattr__(self, name):
            if name in {"trace_of", "keep_trace"}:
                raise StoreUnavailable("read", found="a fault of this test", next_step="none")
            return getattr(engine.workbench.catalogue, name)

    from ordinis_learn.use_cases.build_dataset import build_dataset

    bench = replace(engine.workbench, catalogue=Forgetful())
    ref = build_dataset(bench, "core", {"start": "1991-01-02", "end": "1993-12-28"}).ref
    assert spans()["learn.dataset"][0].attributes["ordinis.dataset"] == ref


def _signals(engine, count):
    events = engine.workbench.log
    from ordinis_learn.records import Topic

    rows = events.scan(Topic.SIGNAL).slice(0, count).to_pylist()
    return [
        {
            "event_id": f"{row['event_id']}-again",
            "event_type": "ordinis.signals.generated",
            "schema_version": "1.0.0",
            "ts_event": row["ts_event"].isoformat(),
            "ts_ingest": row["ts_ingest"].isoformat(),
            "source": "test",
            "correlation_id": row["correlation_id"],
            "partition_key": row["partition_key"],
            "payload": json.loads(row["payload"]),
            "tags": {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"},
        }
        for row in rows
    ]


def test_capture_goes_on_in_the_trace_of_one_event_and_links_to_those_of_many(engine, spans, clock):
    recorder = EventRecorder(InMemoryEventLog(clock=clock))
    one, *others = _signals(engine, 4)
    recorder.record_event(one | {"trace_id": TRACE, "span_id": SPAN})
    traced = [
        event | {"trace_id": f"{number:032x}", "span_id": SPAN} for number, event in enumerate(others, 1)
    ]
    recorder.record_events([*traced, others[0] | {"event_id": "x", "trace_id": "no-hex", "span_id": ""}])
    single, batch = spans()["learn.capture"]
    assert f"{single.context.trace_id:032x}" == TRACE
    assert f"{single.parent.span_id:016x}" == SPAN
    assert batch.parent is None
    assert [link.context.trace_id for link in batch.links] == [1, 2, 3]
    assert batch.attributes["ordinis.events.new"] == 4
    assert not any(
        "payload" in key or "features" in key for span in (single, batch) for key in span.attributes
    )


@pytest.fixture
def clock():
    from datetime import UTC, datetime

    return lambda: datetime(2024, 1, 2, tzinfo=UTC)


@pytest.mark.usefixtures("desk")
def test_mlflow_s_own_traces_and_ours_do_not_meet(spans, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/theirs.db")
    try:
        mlflow.set_experiment("theirs")
        with tracing.span("learn.train"), mlflow.start_span("their span") as theirs:
            assert trace.get_current_span().get_span_context().is_valid
            their_id = theirs.trace_id
        mlflow.flush_trace_async_logging()
        assert [one.name for one in mlflow.get_trace(their_id).data.spans] == ["their span"]
    finally:
        mlflow.set_tracking_uri(None)
    assert set(spans()) == {"learn.train"}


def test_without_a_provider_nothing_is_recorded_or_stored(engine):
    assert not tracing.is_on()
    with tracing.span("learn.train", attributes={"a": 1}) as span:
        span.set_attribute("b", 2)
        assert tracing.traceparent() is None
    ref = engine.build_dataset("core", {"start": "1991-01-02", "end": "1993-12-29"})
    assert engine.workbench.catalogue.trace_of(f"dataset:{ref}") is None


@contextmanager
def receiver():
    """An OTLP/HTTP receiver on loopback: yields its address and the spans that came, as (service, span)."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            came.extend(
                span
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
                if scope.scope.name == "ordinis_learn"
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", came
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.slow  # five processes that import everything
def test_processes_of_one_desk_are_one_trace_at_a_collector(tmp_path):
    pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.http", reason="pip install 'ordinis-learn[traces]'"
    )
    from ordinis_learn.market import load_sp500, replay

    home = tmp_path / "fresh"
    from datetime import date

    history = load_sp500().between(date(1990, 1, 2), date(1995, 12, 29))
    file = tmp_path / "events.jsonl"
    with file.open("w") as stream:
        for event in replay(history, seed=7):
            stream.write(json.dumps(event | {"trace_id": TRACE, "span_id": SPAN}) + "\n")
    commands = (
        ["events", "record", str(file)],
        ["datasets", "build", "core", "--start", "1991-01-02", "--end", "1993-12-31"],
        [
            "train",
            "--name",
            "sp500_signal",
            "--dataset",
            "core",
            "--model",
            "xgboost",
            "--rounds",
            "5",
        ],
        ["promote", "sp500_signal", "1", "active"],
    )
    with receiver() as (url, came):
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "OTEL_"))
        }
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "LEARN_MIN_SAMPLES": "500"}
        outcomes = [
            subprocess.run(
                [sys.executable, "-Im", "ordinis_learn", "--home", str(home), *command],
                env=environ,
                capture_output=True,
                text=True,
                check=False,
            )
            for command in commands
        ]
    assert [done.returncode for done in outcomes] == [0, 0, 0, 1], [done.stderr for done in outcomes]
    assert "E_LEARN_" in outcomes[-1].stderr
    names = {span.name for span in came}
    assert {"learn.capture", "learn.dataset", "learn.train", "learn.rollout", "learn.gate"} <= names
    assert {span.trace_id.hex() for span in came} == {TRACE}
