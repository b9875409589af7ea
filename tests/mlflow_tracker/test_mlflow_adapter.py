"""What only MLflow shows: its pages, its registry, its loader, its failures."""

import json
import logging
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, StoreUnavailable
from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.records import tree_sha256
from ordinis_mlflow.tracker import MlflowTracker


@pytest.fixture
def client(mlflow_book):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=mlflow_book.uri, registry_uri=mlflow_book.uri)


def only_run(client):
    (run,) = client.search_runs([found.experiment_id for found in client.search_experiments()])
    return run


def test_the_dataset_input_is_one_that_mlflow_can_open(mlflow_book, client, manifest):
    import mlflow.data

    with mlflow_book.tracker.start_run("data") as run:
        run.log_dataset(manifest, folder=mlflow_book.folder)
    found = only_run(client)
    dataset = found.inputs.dataset_inputs[0].dataset
    assert dataset.digest == manifest.content_sha256[:36]
    source = mlflow.data.get_source(found.inputs.dataset_inputs[0])
    assert (source.uri, source.content_sha256) == (
        f"ordinis-dataset://{manifest.ref}",
        manifest.content_sha256,
    )
    profile = json.loads(dataset.profile)
    assert (profile["num_rows"], profile["content_sha256"]) == (400, manifest.content_sha256)
    columns = json.loads(dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("symbol", "string"),
        ("session", "datetime"),
        ("f_ret_5", "double"),
        ("direction", "integer"),
    ]
    assert found.data.tags["ordinis.dataset_sha256"] == manifest.content_sha256


def test_the_model_belongs_to_its_run_and_shows_its_metrics(mlflow_book, client, manifest, rule_bundle):
    with mlflow_book.tracker.start_run("model") as run:
        run.log_dataset(manifest, folder=mlflow_book.folder)
        run.log_metrics({"mean_rank_ic": 0.03, "undefined": float("nan")})
        uri = run.log_model(rule_bundle, name="sp500_signal", feature_names=FEATURE_NAMES)
    model = client.get_logged_model(uri.removeprefix("models:/"))
    found = only_run(client)
    assert (model.source_run_id, str(model.status), model.name) == (
        found.info.run_id,
        "READY",
        "sp500_signal",
    )
    assert [output.model_id for output in found.outputs.model_outputs] == [model.model_id]
    (metric,) = model.metrics
    assert (metric.key, metric.value, metric.dataset_name) == ("mean_rank_ic", 0.03, "core")


def test_a_registered_model_loads_by_name_through_the_signature(mlflow_book, client, rule, rule_bundle, rows):
    import mlflow

    with mlflow_book.tracker.start_run("model") as run:
        uri = run.log_model(rule_bundle, name="sp500_signal", feature_names=FEATURE_NAMES)
        folder = run.model_folder(uri)
    before = tree_sha256(folder)
    mlflow.set_tracking_uri(mlflow_book.uri)
    mlflow.set_registry_uri(mlflow_book.uri)
    try:
        client.create_registered_model("sp500_signal")
        version = client.create_model_version("sp500_signal", uri)
        loaded = mlflow.pyfunc.load_model(f"models:/sp500_signal/{version.version}")
        # Columns in another order: they are taken by name.
        frame = pd.DataFrame(rows, columns=FEATURE_NAMES, index=np.arange(5, 5 + len(rows)))
        answer = loaded.predict(frame[list(reversed(FEATURE_NAMES))])
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
    expected = rule.predict(rows)
    assert list(answer.columns) == ["direction", "confidence", "expected_return"]
    assert answer["direction"].to_list() == expected.direction.tolist()
    assert answer["confidence"].to_list() == expected.confidence.tolist()
    assert answer["expected_return"].isna().all()
    assert answer.index.to_list() == frame.index.to_list()
    assert loaded.metadata.signature.inputs.input_names() == list(FEATURE_NAMES)
    assert version.run_id == only_run(client).info.run_id
    assert tree_sha256(folder) == before


def test_no_file_of_a_model_is_a_pickle_or_code(mlflow_book, rule_bundle):
    with mlflow_book.tracker.start_run("model") as run:
        folder = run.model_folder(run.log_model(rule_bundle, name="m", feature_names=FEATURE_NAMES))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "data/bundle/model.json"}
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "ordinis-learn"]


def test_the_runs_page_gets_the_commit_and_the_reason_of_a_failure(mlflow_book, client):
    doomed = mlflow_book.tracker.start_run("doomed", tags={"ordinis.code_commit": "c0ffee"})
    with pytest.raises(ValueError, match="too wild"), doomed:
        raise ValueError("too wild")
    tags = only_run(client).data.tags
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert tags["ordinis.error"] == "ValueError: too wild"


def test_undefined_metrics_are_named_in_a_tag(mlflow_book, client):
    with mlflow_book.tracker.start_run("holes") as run:
        run.log_metrics({"rank_ic": float("nan"), "rmse": 0.1})
        run.log_metrics({"hit_rate": float("inf")})
    assert only_run(client).data.tags["ordinis.metrics_undefined"] == "hit_rate, rank_ic"


def test_no_run_becomes_the_active_one_and_no_uri_is_set(mlflow_book):
    import mlflow

    before = mlflow.get_tracking_uri()
    with mlflow_book.tracker.start_run("quiet"):
        assert mlflow.active_run() is None
        assert mlflow.get_tracking_uri() == before


def test_a_given_parent_takes_in_top_level_runs_with_its_experiment(mlflow_book, client):
    experiment = client.create_experiment("project")
    parent = client.create_run(experiment, run_name="mlflow run")
    tracker = MlflowTracker(tracking_uri=mlflow_book.uri, experiment="desk", parent_run_id=parent.info.run_id)
    with tracker.start_run("train") as top, tracker.start_run("trial", parent=top) as inner:
        ids = top.run_id, inner.run_id
    found = [client.get_run(run_id) for run_id in ids]
    assert [run.data.tags["mlflow.parentRunId"] for run in found] == [parent.info.run_id, ids[0]]
    assert {run.info.experiment_id for run in found} == {experiment}


def test_a_second_tracker_uses_the_same_experiment(mlflow_book, client):
    again = MlflowTracker(tracking_uri=mlflow_book.uri, experiment="desk")
    with mlflow_book.tracker.start_run("one"), again.start_run("two"):
        pass
    runs = client.search_runs([client.get_experiment_by_name("desk").experiment_id])
    assert len(runs) == 2


def test_a_deleted_experiment_says_how_to_bring_it_back(mlflow_book, client):
    experiment = client.get_experiment_by_name("desk").experiment_id
    client.delete_experiment(experiment)
    with pytest.raises(StoreUnavailable, match=f"mlflow experiments restore --experiment-id {experiment}"):
        MlflowTracker(tracking_uri=mlflow_book.uri, experiment="desk")


def test_a_store_that_cannot_be_opened_is_named_without_its_password(tmp_path):
    with pytest.raises(ConfigInvalid) as failure:
        MlflowTracker(tracking_uri="ftp://ada:secret@desk/runs", experiment="desk")
    assert "secret" not in str(failure.value)
    (tmp_path / "runs.db").write_text("this is no database, " * 100)
    with pytest.raises(StoreUnavailable):
        MlflowTracker(tracking_uri=f"sqlite:///{tmp_path / 'runs.db'}", experiment="desk")


def test_importing_the_tracker_is_light_and_quiet_is_only_a_default():
    code = "import sys, ordinis_mlflow.tracker; print('mlflow' in sys.modules, 'xgboost' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["False", "False"]
    code = (
        "import os; from ordinis_mlflow.tracker import prepare_environment; "
        "prepare_environment(); print(os.environ['MLFLOW_DISABLE_TELEMETRY'])"
    )
    for said, expected in ((None, "true"), ("false", "false")):
        environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_DISABLE_TELEMETRY"}
        environment |= {} if said is None else {"MLFLOW_DISABLE_TELEMETRY": said}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, text=True, env=environment
        )
        assert done.stdout.strip() == expected


def test_a_logger_that_the_user_has_set_is_left_alone():
    assert logging.getLogger("mlflow.store.db.utils").level == logging.WARNING


def test_an_example_lies_beside_the_model_and_can_be_asked(mlflow_book, rule_bundle):
    import mlflow

    example = {name: [0.0, 0.5] for name in FEATURE_NAMES}
    with mlflow_book.tracker.start_run("model") as run:
        uri = run.log_model(rule_bundle, name="m", feature_names=FEATURE_NAMES, example=example)
        folder = run.model_folder(uri)
    loaded = mlflow.pyfunc.load_model(str(folder))
    assert loaded.input_example.to_dict("list") == example
    assert list(loaded.predict(loaded.input_example).columns) == [
        "direction",
        "confidence",
        "expected_return",
    ]


def test_a_signature_of_other_columns_is_not_loaded(mlflow_book, rule_bundle):
    import mlflow

    with mlflow_book.tracker.start_run("model") as run:
        uri = run.log_model(rule_bundle, name="m", feature_names=tuple(reversed(FEATURE_NAMES)))
        folder = run.model_folder(uri)
    with pytest.raises(DataCorrupt, match="signature"):
        mlflow.pyfunc.load_model(str(folder))


def test_a_watched_run_shows_the_machine(mlflow_book, client, tmp_path):
    tracker = MlflowTracker(
        tracking_uri=mlflow_book.uri, experiment="e", artifact_root=tmp_path / "runs", system_metrics=True
    )
    with tracker.start_run("watched") as run, run.watched():
        pass
    metrics = client.get_run(run.run_id).data.metrics
    assert metrics["system/cpu_utilization_percentage"] >= 0.0
    assert metrics["system/system_memory_usage_megabytes"] > 0.0
