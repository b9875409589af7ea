import pytest
from pydantic import ValidationError

from ordinis_learn.training import ROUND_TRIP_COST_BPS, TrainConfig


@pytest.mark.parametrize(
    "given",
    [
        {"name": "m"},
        {"name": "m", "model": "rule", "dataset": "core"},
        {"name": "m", "model": "rule", "trials": 3},
        {"name": "m", "dataset": "core", "trials": 3, "folds": 0},
        {"name": "m", "dataset": "core", "train_start": "2002-01-01", "train_until": "2001-01-01"},
        {"name": "two words", "dataset": "core"},
        {"name": "m", "dataset": "core", "leraning_rate": 0.1},
        {"name": "m", "dataset": "core", "booster": {"eta": 0.0}},
        {"name": "m", "dataset": "core", "model_type": "embed_model"},
    ],
)
def test_what_makes_no_sense_is_refused(given):
    with pytest.raises(ValidationError):
        TrainConfig(**given)


def test_equal_configurations_hash_alike_and_any_change_shows():
    config = TrainConfig(name="m", dataset="core", train_until="2006-12-29")
    assert config.content_hash() == TrainConfig.model_validate(config.to_json()).content_hash()
    for change in ({"seed": 8}, {"booster": {"max_depth": 4}}, {"train_until": "2006-12-28"}):
        other = TrainConfig.model_validate(config.to_json() | change)
        assert other.content_hash() != config.content_hash()


def test_the_edge_defaults_to_the_round_trip_cost():
    assert TrainConfig(name="m", dataset="core").min_edge_bps == ROUND_TRIP_COST_BPS == 2 * (1.0 + 5.0)


def test_run_parameters_are_flat_and_speak_of_one_kind_only():
    trained = TrainConfig(name="m", dataset="core").run_params()
    declared = TrainConfig(name="m", model="rule").run_params()
    assert trained["booster.eta"] == 0.05
    assert not any(key.startswith("rule.") for key in trained)
    assert declared["rule.momentum_weight"] == 0.5
    assert not any(key.startswith("booster.") for key in declared)
