import json

import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid, TrainFailed
from ordinis_learn.models import load_bundle
from ordinis_learn.records import tree_sha256
from ordinis_learn.training import NetworkParameters, TrainConfig

torch = pytest.importorskip("torch", reason="pip install 'ordinis-learn[torch]'")

SMALL = NetworkParameters(hidden=(8,), learning_rate=5e-3, batch_rows=256, epochs=8, patience=3, dropout=0.0)
QUICK = {"name": "sp500_signal", "dataset": "core", "model": "torch", "folds": 2, "network": SMALL}


def test_a_planted_edge_is_found_and_served_without_torch(train, tracker, planted):
    trained = train(TrainConfig(**QUICK, min_edge_bps=0.0), planted)
    assert trained.artifact.metrics["mean_rank_ic"] > 0.3
    importance = json.loads(tracker.runs[0].files["feature_importance.json"])
    assert importance[0]["feature"] == "ret_5"
    answer = load_bundle(trained.bundle).predict(np.array([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]))
    assert answer.direction.tolist() == [1, -1]
    assert answer.expected_return == pytest.approx([0.04, -0.04], abs=0.02)


def test_what_is_served_is_what_was_fitted(planted, manifest_of):
    from ordinis_learn.training._torch import fit_network_on_all_rows
    from ordinis_learn.training.answers import read_answers
    from ordinis_learn.training.matrix import training_matrix

    config = TrainConfig(**QUICK)
    matrix = training_matrix(config, manifest=manifest_of(planted), table=planted, min_samples=1)
    final = fit_network_on_all_rows(matrix, config=config, parameters=SMALL, epochs=2)
    answers = read_answers(config, matrix=matrix, folds=(), sample=lambda: final.forecast)
    served = answers.network(final.weights, frame=final.frame, parameters=SMALL)
    answer = served.predict(matrix.features.astype(np.float64))
    assert answer.expected_return == pytest.approx(final.forecast, abs=1e-6)


def test_one_seed_gives_the_same_bytes_and_leaves_the_global_state_alone(train, planted):
    torch.manual_seed(99)
    before = torch.get_rng_state()
    first = train(TrainConfig(**QUICK), planted, name="a")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    again = train(TrainConfig(**QUICK), planted, name="b")
    other = train(TrainConfig(**QUICK, seed=8), planted, name="c")
    assert tree_sha256(first.bundle) == tree_sha256(again.bundle) != tree_sha256(other.bundle)


def test_curves_have_a_point_per_epoch(train, tracker, planted):
    trained = train(TrainConfig(**QUICK), planted)
    metrics = tracker.runs[0].metrics
    assert len(metrics["train_rmse"]) == int(trained.artifact.metrics["epochs"])
    assert len(metrics["fold_0/valid_rmse"]) == len(metrics["fold_0/train_rmse"])
    assert tracker.runs[0].params["network.hidden"] == "[8]"


def test_a_search_tries_networks_and_counts_them(train, tracker, planted):
    trained = train(TrainConfig(**QUICK, trials=3), planted)
    parent = tracker.runs[0]
    children = [run for run in tracker.runs if "ordinis.trial" in run.tags]
    assert len(children) == trained.artifact.trials == 3
    assert children[0].params["network.learning_rate"] == "0.005"
    assert {child.params["network.hidden"] for child in children} == {"[8]"}
    assert parent.tags["ordinis.trials"] == "3"


def test_a_fit_that_diverges_fails_the_run(train, tracker, planted):
    wild = SMALL.model_copy(update={"learning_rate": 1.0, "hidden": (64, 64, 64), "epochs": 200})
    impossible = wild.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainFailed, match="learning_rate"):
        train(TrainConfig(**QUICK).model_copy(update={"network": impossible}), planted)
    assert tracker.runs[0].status == "FAILED"


def test_a_gpu_that_is_full_is_a_training_that_failed():
    from ordinis_learn.training._torch_state import reproducible

    before = torch.get_num_threads()
    with (
        pytest.raises(TrainFailed, match="device=cpu"),
        reproducible(name="m", device="cpu", threads=1, seed=1),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 TiB.")
    assert torch.get_num_threads() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named(train, planted):
    with pytest.raises(ConfigInvalid, match="no GPU"):
        train(TrainConfig(**QUICK, device="cuda"), planted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_bytes_twice(train, planted):
    config = TrainConfig(**QUICK, device="cuda")
    first, again = train(config, planted, name="a"), train(config, planted, name="b")
    assert tree_sha256(first.bundle) == tree_sha256(again.bundle)
