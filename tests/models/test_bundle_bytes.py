"""A bundle's bytes are its identity: the registry, the ledger and every scorecard name their hash."""

import hashlib

import numpy as np
import pytest

from ordinis_learn.models import load_bundle
from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel
from ordinis_learn.models._xgboost_classes import XGBoostClassModel
from ordinis_learn.models.class_forecaster import ClassParameters
from ordinis_learn.models.class_networks import (
    NetworkClassModel,
    SequenceClassModel,
    ServedClassNetwork,
    ServedClassSequence,
)
from ordinis_learn.models.network import NetworkModel, ServedNetwork
from ordinis_learn.models.sequence import SequenceModel, ServedSequence
from ordinis_learn.records import tree_sha256

FRAME = {"center": (0.0, 0.5), "spread": (1.0, 2.0), "clip": 5.0}
EDGE = {"unit": 0.01, "min_edge_bps": 1.0, "scale": 0.02}
CLASSES = {
    "classes": (-1, 1),
    "shares": (0.5, 0.5),
    "mean_returns": (-0.01, 0.01),
    "sharpness": 1.0,
    "min_edge_bps": 1.0,
}
ONE = {"feature_names": ("a", "b"), "horizon_sessions": 5}
HISTORY = {"feature_names": ("a@1", "a"), "horizon_sessions": 5}


def weights(shapes):
    made, first = {}, 0
    for name, shape in shapes.items():
        last = first + int(np.prod(shape))
        made[name] = (np.arange(first, last) % 7 / 8 - 0.375).astype(np.float32).reshape(shape)
        first = last
    return made


def layers(outputs):
    return weights({"weight_0": (3, 2), "bias_0": (3,), "weight_1": (outputs, 3), "bias_1": (outputs,)})


def unit(outputs):
    shapes = {"input": (6, 1), "state": (6, 2), "input_bias": (6,), "state_bias": (6,)}
    return weights(shapes | {"out": (outputs, 2), "out_bias": (outputs,)})


def network():
    return NetworkModel(layers(1), parameters=ServedNetwork(hidden=(3,), **FRAME, **EDGE), **ONE)


def sequence():
    return SequenceModel(unit(1), parameters=ServedSequence(steps=2, hidden=2, **FRAME, **EDGE), **HISTORY)


def network_of_classes():
    served = ServedClassNetwork(hidden=(3,), **FRAME, **CLASSES)
    return NetworkClassModel(layers(2), parameters=served, **ONE)


def sequence_of_classes():
    served = ServedClassSequence(steps=2, hidden=2, **FRAME, **CLASSES)
    return SequenceClassModel(unit(2), parameters=served, **HISTORY)


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (network, "38c5f945bbf9355e520524d08a6a417e033d77c5b901999271ac2dc9ba9b0e32"),
        (sequence, "e5342512f4b163aa516443eb42ffae84be793400f22ce64bce0c6fd9e1474908"),
        (network_of_classes, "738b7bfe1cca79c26f45ed70712fa7a51ce0d53b97683deda3b2f4f260f97aa2"),
        (sequence_of_classes, "d464ba51e0b6b846d193716293d56ba3c0c235e3bdbf8fd88910e8ec1155e3da"),
    ],
)
def test_the_same_weights_are_the_same_bytes_in_every_release(make, digest, tmp_path):
    model = make()
    model.save(tmp_path / "bundle")
    assert tree_sha256(tmp_path / "bundle") == digest
    again = load_bundle(tmp_path / "bundle")
    again.save(tmp_path / "again")
    assert tree_sha256(tmp_path / "again") == digest
    rows = np.random.default_rng(0).normal(size=(50, 2))
    assert np.array_equal(again.predict(rows).confidence, model.predict(rows).confidence)


@pytest.mark.parametrize(
    ("kind", "objective", "parameters"),
    [
        (XGBoostSignalModel, "reg:squarederror", XGBoostParameters(min_edge_bps=1.0, scale=0.01)),
        (XGBoostClassModel, "binary:logistic", ClassParameters(**CLASSES)),
    ],
)
def test_trees_are_kept_as_xgboost_writes_them_beside_a_header_of_fixed_bytes(
    kind, objective, parameters, tmp_path
):
    """The trees' own bytes are xgboost's and change with its releases; what is ours does not."""
    import xgboost as xgb

    rows = np.random.default_rng(0).normal(size=(200, 2))
    data = xgb.DMatrix(rows, label=(rows[:, 0] > 0).astype(np.float64))
    booster = xgb.train({"nthread": 1, "max_depth": 2, "objective": objective}, data, 5)
    kind(booster, parameters=parameters, **ONE).save(tmp_path / "bundle")
    trees = (tmp_path / "bundle" / "booster.ubj").read_bytes()
    assert trees == bytes(booster.save_raw("ubj"))
    told = (tmp_path / "bundle" / "model.json").read_text()
    header = told.replace(hashlib.sha256(trees).hexdigest(), "TREES")
    expected = {
        XGBoostSignalModel: "04d1637fc4c1cfe3",
        XGBoostClassModel: "0bb7566f9d92f098",
    }
    assert hashlib.sha256(header.encode()).hexdigest()[:16] == expected[kind]
    load_bundle(tmp_path / "bundle").save(tmp_path / "again")
    assert tree_sha256(tmp_path / "again") == tree_sha256(tmp_path / "bundle")
