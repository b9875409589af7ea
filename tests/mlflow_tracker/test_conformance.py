"""What every tracker promises; run over the fake and over MLflow."""

import json

import pytest

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, StoreUnavailable
from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.models import load_bundle
from ordinis_learn.records import tree_sha256
from ordinis_learn.training.processes import Process


def test_a_run_that_ends_well_is_finished(book):
    with book.tracker.start_run("train core", tags={"ordinis.seed": "7"}) as run:
        assert book.runs()[0].status == "RUNNING"
        assert run.run_id
    (seen,) = book.runs()
    assert (seen.name, seen.status, seen.parent) == ("train core", "FINISHED", None)
    assert seen.tags["ordinis.seed"] == "7"


def test_a_run_that_raises_is_failed_and_the_error_passes(book):
    with pytest.raises(ZeroDivisionError), book.tracker.start_run("doomed"):
        raise ZeroDivisionError
    assert book.runs()[0].status == "FAILED"


def test_an_interrupted_run_is_failed(book):
    with pytest.raises(KeyboardInterrupt), book.tracker.start_run("stopped"):
        raise KeyboardInterrupt
    assert book.runs()[0].status == "FAILED"


def test_children_name_their_parent_and_fail_alone(book):
    with book.tracker.start_run("study") as parent:
        with book.tracker.start_run("trial 0", parent=parent):
            pass
        with pytest.raises(ZeroDivisionError), book.tracker.start_run("trial 1", parent=parent):
            raise ZeroDivisionError
    seen = {run.name: run for run in book.runs()}
    assert seen["trial 0"].parent == seen["trial 1"].parent == parent.run_id
    assert [seen[name].status for name in ("study", "trial 0", "trial 1")] == [
        "FINISHED",
        "FINISHED",
        "FAILED",
    ]


def test_parameters_are_text_and_written_once(book):
    with book.tracker.start_run("params") as run:
        run.log_params({"eta": 0.05, "model": "rule"})
        run.log_params({"eta": 0.05})
        with pytest.raises(ConfigInvalid):
            run.log_params({"eta": 0.06})
    assert book.runs()[0].params == {"eta": "0.05", "model": "rule"}


def test_more_parameters_and_tags_than_one_call_takes(book):
    with book.tracker.start_run("many") as run:
        run.log_params({f"p{n}": n for n in range(250)})
        run.set_tags({f"t{n}": str(n) for n in range(250)})
    (seen,) = book.runs()
    assert len(seen.params) == 250
    assert seen.tags["t249"] == "249"


def test_curves_keep_every_step(book):
    curve = [1.0 / (n + 1) for n in range(700)]
    with book.tracker.start_run("curves") as run:
        run.log_series({"fold_0/train_rmse": curve, "fold_0/valid_rmse": curve[:600]})
        run.log_metrics({"rank_ic": 0.1}, step=0)
        run.log_metrics({"rank_ic": 0.2}, step=1)
    points = book.runs()[0].points
    assert points["fold_0/train_rmse"] == list(enumerate(curve))
    assert len(points["fold_0/valid_rmse"]) == 600
    assert points["rank_ic"] == [(0, 0.1), (1, 0.2)]


def test_points_that_are_not_finite_are_left_out(book):
    with book.tracker.start_run("holes") as run:
        run.log_metrics({"rank_ic": float("nan"), "rmse": 0.02})
        run.log_series({"curve": [1.0, float("inf"), 3.0]})
    points = book.runs()[0].points
    assert points == {"rmse": [(0, 0.02)], "curve": [(0, 1.0), (2, 3.0)]}


def test_a_dataset_input_keeps_our_whole_digest(book, manifest):
    with book.tracker.start_run("data") as run:
        run.log_dataset(manifest, folder=book.folder)
    assert book.runs()[0].datasets == [manifest.content_sha256]


def test_files_and_json_are_kept(book):
    path = book.folder / "dirty.patch"
    path.write_text("+1\n")
    with book.tracker.start_run("files") as run:
        run.log_file(path, folder="provenance")
        run.log_file(path)
        run.log_json({"b": float("nan"), "a": [1, None]}, path="report/scores.json")
    files = book.runs()[0].files
    assert files["provenance/dirty.patch"] == files["dirty.patch"] == b"+1\n"
    assert json.loads(files["report/scores.json"]) == {"a": [1, None], "b": None}


def test_json_is_read_back(book):
    with book.tracker.start_run("files") as run:
        run.log_json({"a": [1, None, "é"]}, path="report/scores.json")
        run.log_json({"seed": 7}, path="config.json")
    assert book.tracker.read_json(run.run_id, path="report/scores.json") == {"a": [1, None, "é"]}
    assert book.tracker.read_json(run.run_id, path="config.json") == {"seed": 7}


@pytest.mark.parametrize("path", ["nowhere.json", "no/where.json"])
def test_json_that_is_not_there_is_missing(book, path):
    with book.tracker.start_run("files") as run:
        run.log_json({}, path="config.json")
    for run_id in (run.run_id, "0" * 32, "not a run"):
        with pytest.raises(ArtifactMissing):
            book.tracker.read_json(run_id, path=path)


def test_a_file_that_is_not_there_is_named(book):
    with pytest.raises(StoreUnavailable), book.tracker.start_run("files") as run:
        run.log_file(book.folder / "nowhere.txt")


def test_a_logged_model_is_whole_and_loads(book, rule, rule_bundle, rows):
    with book.tracker.start_run("model") as run:
        uri = run.log_model(rule_bundle, name="sp500_signal", feature_names=FEATURE_NAMES)
        folder = run.model_folder(uri)
    assert uri.startswith("models:/")
    assert len(tree_sha256(folder)) == 64
    loaded = load_bundle(folder / "data" / "bundle")
    assert loaded.predict(rows).direction.tolist() == rule.predict(rows).direction.tolist()


def test_two_models_of_one_run_do_not_share_a_folder(book, rule_bundle):
    with book.tracker.start_run("models") as run:
        uris = [run.log_model(rule_bundle, name="m", feature_names=FEATURE_NAMES) for _ in range(2)]
        folders = {run.model_folder(uri) for uri in uris}
    assert len(folders) == len(set(uris)) == 2


def test_a_run_that_was_left_open_is_found_and_ended(book):
    with book.tracker.start_run("done"):
        pass
    opened = book.tracker.start_run("left")
    run = opened.__enter__()
    tags = book.tracker.open_runs()
    assert list(tags) == [run.run_id]
    assert Process.of_tags(tags[run.run_id]) == Process.here()
    book.tracker.end_run(run.run_id, reason="process 7 ended")
    assert book.tracker.open_runs() == {}
    (left,) = [seen for seen in book.runs() if seen.name == "left"]
    assert (left.status, left.tags["ordinis.error"]) == ("KILLED", "process 7 ended")


def test_a_run_may_be_watched(book):
    with book.tracker.start_run("watched") as run, run.watched():
        run.log_metrics({"a": 1.0})
    (seen,) = book.runs()
    assert seen.status == "FINISHED"
