import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.evaluation.overfitting import probability_of_overfitting
from ordinis_learn.records import ModelArtifact
from ordinis_learn.training import TrainConfig
from ordinis_learn.training.search_overfitting import search_overfitting

QUICK = {"name": "m", "dataset": "core", "rounds": 12, "early_stopping_rounds": 4, "folds": 3}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(40, 400))
def test_it_is_the_published_measure_over_the_trials_and_their_order_does_not_matter(seed, trials, sessions):
    results = np.random.default_rng(seed).normal(0.0, 0.01, (trials, sessions)).astype(np.float32)
    found = search_overfitting(list(results))
    blocks = min(16, sessions // 10 // 2 * 2)
    whole = probability_of_overfitting(results.T.astype(float), blocks=blocks)
    assert found.probability == whole.probability
    assert search_overfitting(list(results[::-1])).probability == found.probability
    assert (found.trials, found.blocks) == (trials, blocks)


def test_trials_that_hardly_trade_are_left_out_and_too_few_say_nothing():
    results = np.random.default_rng(1).normal(0.0, 0.01, (3, 200)).astype(np.float32)
    flat = np.zeros(200, dtype=np.float32)
    assert search_overfitting([*results, flat]) == search_overfitting(list(results))
    assert search_overfitting([results[0], flat]).probability is None
    assert search_overfitting(list(results[:, :39])).probability is None
    assert search_overfitting([]).trials == 0


def test_a_search_carries_it_with_its_artifact(train, planted, tracker):
    trained = train(TrainConfig(**QUICK, trials=5, pruner="none", min_edge_bps=0.0), planted)
    run = tracker.runs[0]
    assert 0.0 <= trained.artifact.search_pbo <= 1.0
    assert run.metrics["search_pbo"] == [(0, trained.artifact.search_pbo)]
    assert run.tags["ordinis.search_pbo_trials"] == "5"
    again = train(TrainConfig(**QUICK, trials=5, pruner="none", min_edge_bps=0.0), planted, name="again")
    assert again.artifact.search_pbo == trained.artifact.search_pbo


def test_an_artifact_of_before_keeps_its_bytes(train, planted):
    artifact = train(TrainConfig(**QUICK), planted).artifact
    assert not {"search_pbo", "reproducible"} & set(artifact.to_json())
    marked = artifact.model_copy(update={"reproducible": False, "search_pbo": 0.25})
    assert ModelArtifact.model_validate(marked.to_json()) == marked
    with pytest.raises(ValueError, match="search_pbo"):
        ModelArtifact.model_validate(artifact.to_json() | {"search_pbo": 1.5})
