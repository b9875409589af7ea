"""Classes of the direction: fitted, calibrated, saved and asked like every signal model."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from ordinis_learn.errors import DataCorrupt, TrainFailed
from ordinis_learn.models import load_bundle
from ordinis_learn.models.class_forecaster import ClassParameters, calibrated_probabilities
from ordinis_learn.records import file_sha256, tree_sha256
from ordinis_learn.training import TrainConfig
from ordinis_learn.training.class_calibration import HeldOutScores, fit_sharpness, log_loss
from ordinis_learn.training.heads import ClassHead

QUICK = {"name": "m", "dataset": "core", "rounds": 25, "early_stopping_rounds": 5, "folds": 2}
CASES = [
    ("xgboost", "binary", "xgboost_classes"),
    ("xgboost", "three_class", "xgboost_classes"),
    ("torch", "binary", "mlp_classes"),
    ("torch", "three_class", "mlp_classes"),
]
UP_DOWN = np.array([[2.5, 0.0, 0.0], [-2.5, 0.0, 0.0]])
scores = arrays(np.float64, (6, 3), elements=st.floats(-50, 50))


def config_of(model, objective, **more):
    edge = {"class_edge_bps": 100.0} if objective == "three_class" else {}
    if model == "torch":
        pytest.importorskip("torch")
        more |= {"network": {"hidden": (8,), "epochs": 12, "learning_rate": 0.01, "dropout": 0.0}}
    return TrainConfig(**QUICK | more, model=model, objective=objective, **edge)


@pytest.mark.parametrize(("model", "objective", "kind"), CASES)
def test_a_planted_direction_is_told_with_probability_and_return(
    train, planted, tracker, model, objective, kind
):
    trained = train(config_of(model, objective), planted)
    loaded = load_bundle(trained.bundle)
    answer = loaded.predict(np.vstack([UP_DOWN, [[np.nan, 0.0, 0.0]]]))
    assert loaded.kind == kind
    assert answer.direction.tolist() == [1, -1, 0]
    assert answer.confidence[2] == 0.0
    assert (answer.confidence[:2] > 0.6).all()
    assert answer.expected_return[0] > 0.005
    assert answer.expected_return[1] < -0.005
    measure = "logloss" if objective == "binary" else "mlogloss"
    metrics = tracker.runs[0].metrics
    assert {f"train_{measure}", f"fold_0/valid_{measure}", f"mean_calibrated_{measure}"} <= set(metrics)
    assert metrics["mean_log_loss_over_base_rates"][0][1] < 0.0
    assert metrics["mean_rank_ic"][0][1] > 0.3
    assert "plots/reliability.png" in tracker.runs[0].files
    assert tree_sha256(train(config_of(model, objective), planted, name="again").bundle) == tree_sha256(
        trained.bundle
    )


@pytest.mark.parametrize("objective", ["binary", "three_class"])
def test_confidence_is_how_often_the_direction_comes(train, table_of, objective):
    # Enough rows that the folds' trees are like the final ones: what the folds teach holds for those alone.
    enough = {"rounds": 150, "folds": 3, "min_edge_bps": 0.0, "booster": {"min_child_weight": 1.0}}
    config = config_of("xgboost", objective, **enough)
    fitted = load_bundle(train(config, table_of(signal=0.02, sessions=1500)).bundle)
    fresh = table_of(signal=0.02, seed=99, sessions=2000)
    rows = np.column_stack([fresh[f"f_{name}"] for name in ("ret_5", "vol_20", "z_20")])
    target = fresh["fwd_ret_5d"].to_numpy()
    answer = fitted.predict(rows)
    edge = 0.0 if objective == "binary" else 0.01
    right = np.where(answer.direction > 0, target > edge, target < -edge)[answer.direction != 0]
    said = answer.confidence[answer.direction != 0]
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 1.0)):
        among = (said >= low) & (said < high)
        assert among.sum() > 300
        assert right[among].mean() == pytest.approx(said[among].mean(), abs=0.06)


def test_without_skill_the_base_rates_are_said(train, table):
    fitted = load_bundle(train(config_of("xgboost", "binary"), table).bundle)
    said = fitted.probabilities(np.random.default_rng(0).normal(size=(200, 3)))
    assert said[:, 1] == pytest.approx(np.full(200, fitted.parameters.shares[1]), abs=0.05)


def test_a_search_over_classes_minimises_log_loss(train, planted, tracker):
    trained = train(config_of("xgboost", "binary", trials=4), planted)
    assert trained.artifact.trials == 4
    run = next(run for run in tracker.runs if run.tags.get("ordinis.trial") == "0")
    assert "mean_valid_logloss" in run.metrics


def test_a_class_without_rows_is_named(train, planted, tracker):
    with pytest.raises(TrainFailed, match="class_edge_bps"):
        train(TrainConfig(**QUICK, objective="three_class", class_edge_bps=9000.0), planted)
    assert tracker.runs[0].status == "FAILED"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objective": "three_class", "monotone": {"ret_5": 1}}, "monotone"),
        ({"class_edge_bps": 5.0}, "class_edge_bps"),
        ({"objective": "four_class"}, "objective"),
        ({"model": "rule", "dataset": None, "objective": "binary"}, "rule"),
        ({"objective": "three_class", "class_edge_bps": float("nan")}, "class_edge_bps"),
    ],
)
def test_what_does_not_fit_together_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**QUICK | wrong)


def test_a_configuration_of_before_keeps_its_hash():
    config = TrainConfig(**QUICK)
    assert not {"objective", "class_edge_bps", "across_workers"} & set(config.to_json())
    assert TrainConfig(**QUICK, objective="binary").content_hash() != config.content_hash()


TWO = {"classes": [-1, 1], "shares": [0.5, 0.5], "mean_returns": [-0.1, 0.1]}
THREE = {"classes": [-1, 0, 1], "shares": [0.3, 0.4, 0.3], "mean_returns": [-0.1, 0.0, 0.1]}


@pytest.mark.parametrize(
    ("model", "objective", "other"), [("xgboost", "three_class", TWO), ("torch", "binary", THREE)]
)
def test_a_header_that_does_not_fit_is_refused(train, planted, model, objective, other):
    folder = train(config_of(model, objective), planted).bundle
    path = folder / "model.json"
    good = json.loads(path.read_text())
    for change in (
        other,
        {"classes": [-1, 1, 2]},
        {"shares": [0.5, 0.6, 0.1]},
        {"sharpness": -1.0},
        {"mean_returns": [0.0]},
        {"code": "os.system"},
    ):
        path.write_text(json.dumps(good | {"parameters": good["parameters"] | change}))
        with pytest.raises(DataCorrupt):
            load_bundle(folder)


def test_trees_of_a_regression_are_no_classifier(train, planted):
    classes = train(config_of("xgboost", "binary"), planted, name="classes").bundle
    returns = train(TrainConfig(**QUICK), planted, name="returns").bundle
    booster = returns / "booster.ubj"
    (classes / "booster.ubj").write_bytes(booster.read_bytes())
    header = json.loads((classes / "model.json").read_text())
    header["files"]["booster.ubj"] = file_sha256(booster)
    (classes / "model.json").write_text(json.dumps(header))
    with pytest.raises(DataCorrupt, match="reg:squarederror"):
        load_bundle(classes)


@settings(deadline=None)
@given(scores, st.floats(0, 5))
def test_probabilities_are_a_distribution_and_a_row_alone_says_the_same(given_scores, sharpness):
    shares = np.array([0.2, 0.5, 0.3])
    together = calibrated_probabilities(given_scores, shares=shares, sharpness=sharpness)
    assert together.sum(axis=1) == pytest.approx(np.ones(6))
    moved = calibrated_probabilities(given_scores + 3.0, shares=shares, sharpness=sharpness)
    assert moved == pytest.approx(together, abs=1e-9)
    alone = [
        calibrated_probabilities(row[None], shares=shares, sharpness=sharpness)[0] for row in given_scores
    ]
    assert np.array_equal(np.stack(alone), together)
    whole = calibrated_probabilities(given_scores, shares=shares, sharpness=1.0)
    assert whole == pytest.approx(softmax(given_scores, axis=1))


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 3.0))
def test_the_sharpness_found_is_the_best_on_a_grid(seed, true):
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(300, 3))
    chance = softmax(true * raw, axis=1)
    label = (rng.uniform(size=(300, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(0, 2).astype(float)
    shares = np.full(3, 1 / 3)
    held = HeldOutScores(scores=raw, label=label, weight=rng.uniform(0.1, 1.0, 300), shares=shares)

    def loss(sharpness):
        said = calibrated_probabilities(raw, shares=shares, sharpness=sharpness)
        return log_loss(np.log(said), label=label, weight=held.weight)

    assert loss(fit_sharpness([held])) <= min(map(loss, np.linspace(0, 5, 60))) + 1e-6


@settings(deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=30), st.floats(0, 0.1))
def test_labels_are_the_sides_of_the_edge(returns, edge):
    target = np.array(returns)
    three = ClassHead(classes=(-1, 0, 1), edge=edge, name="m").labels(target)
    assert np.array_equal(three - 1.0, np.where(np.abs(target) <= edge, 0.0, np.sign(target)))
    assert np.array_equal(
        ClassHead(classes=(-1, 1), edge=0.0, name="m").labels(target), (target > 0).astype(float)
    )


def test_what_is_won_weighs_against_how_often():
    declared = ClassParameters(
        classes=(-1, 1), shares=(0.4, 0.6), mean_returns=(-0.03, 0.01), sharpness=1.0, min_edge_bps=0.0
    )
    expected = np.array(declared.shares) @ np.array(declared.mean_returns)
    assert expected < 0.0 < declared.shares[1] - 0.5
