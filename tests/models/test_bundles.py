import json
import pickle
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import xgboost as xgb  # noqa: TID253  the models under test
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt, StoreUnavailable
from ordinis_learn.market.features import FEATURE_NAMES
from ordinis_learn.market.rules import RuleParameters, rule_signals
from ordinis_learn.models import RuleModel, load_bundle
from ordinis_learn.models._xgboost import XGBoostParameters, XGBoostSignalModel
from ordinis_learn.models.network import NetworkModel, ServedNetwork

NAMES = ("a", "b", "c")


def make_xgboost(*, min_edge_bps=12.0, scale=0.02):
    rng = np.random.default_rng(3)
    features = rng.normal(size=(500, 3))
    data = xgb.DMatrix(features, label=0.02 * features[:, 0], feature_names=list(NAMES))
    booster = xgb.train({"max_depth": 2, "seed": 1, "nthread": 1}, data, num_boost_round=10)
    return XGBoostSignalModel(
        booster,
        feature_names=NAMES,
        horizon_sessions=5,
        parameters=XGBoostParameters(min_edge_bps=min_edge_bps, scale=scale),
    )


def make_rule(**parameters):
    return RuleModel(feature_names=FEATURE_NAMES, horizon_sessions=5, parameters=RuleParameters(**parameters))


def make_network(*, hidden=(4, 2), **declared):
    rng = np.random.default_rng(2)
    widths = (3, *hidden, 1)
    weights = {}
    for n, (before, after) in enumerate(pairwise(widths)):
        weights[f"weight_{n}"] = rng.normal(size=(after, before)).astype(np.float32)
        weights[f"bias_{n}"] = rng.normal(size=after).astype(np.float32)
    parameters = ServedNetwork(
        **{
            "hidden": hidden,
            "center": (0.1, 0.0, -0.1),
            "spread": (0.3, 1.0, 0.2),
            "clip": 8.0,
            "unit": 0.02,
            "min_edge_bps": 12.0,
            "scale": 0.02,
        }
        | declared
    )
    return NetworkModel(weights, feature_names=NAMES, horizon_sessions=5, parameters=parameters)


MODELS = {"rule": make_rule, "xgboost": make_xgboost, "network": make_network}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def rows_for(model, count=50):
    return np.random.default_rng(5).normal(scale=0.3, size=(count, len(model.feature_names)))


def equal(left, right):
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=name == "expected_return")
        for name in ("direction", "confidence", "expected_return")
    )


def test_a_saved_model_answers_as_before(model, tmp_path):
    model.save(tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    rows = rows_for(model)
    assert equal(loaded.predict(rows), model.predict(rows))
    assert (loaded.kind, loaded.feature_names, loaded.horizon_sessions) == (
        model.kind,
        model.feature_names,
        model.horizon_sessions,
    )


def test_saving_twice_gives_the_same_bytes(model, tmp_path):
    model.save(tmp_path / "a")
    load_bundle(tmp_path / "a").save(tmp_path / "b")
    files = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "b").iterdir()}


def test_rows_are_answered_one_by_one_as_together(model):
    rows = rows_for(model)
    together = model.predict(rows)
    for n, row in enumerate(rows):
        alone = model.predict(row[None, :])
        assert alone.direction[0] == together.direction[n]
        assert alone.confidence[0] == together.confidence[n]


@pytest.mark.parametrize("make", [make_xgboost, make_network])
@settings(max_examples=30)
@given(
    rows=arrays(np.float64, (6, 3), elements=st.floats(allow_nan=True, allow_infinity=True)),
    min_edge_bps=st.floats(0, 1000),
    scale=st.floats(1e-6, 1.0),
)
def test_a_trained_model_keeps_its_promises_on_any_rows(make, rows, min_edge_bps, scale):
    answer = make(min_edge_bps=min_edge_bps, scale=scale).predict(rows)
    incomplete = ~np.isfinite(rows).all(axis=1)
    assert (answer.direction[incomplete] == 0).all()
    assert (answer.confidence[incomplete] == 0.0).all()
    assert np.isnan(answer.expected_return[incomplete]).all()
    assert ((answer.confidence >= 0.0) & (answer.confidence <= 1.0)).all()
    known = answer.expected_return[~incomplete]
    worth_it = np.abs(known) > min_edge_bps * 1e-4
    assert np.array_equal(answer.direction[~incomplete], np.where(worth_it, np.sign(known), 0))


def test_confidence_grows_with_the_forecast():
    answer = make_xgboost().predict(rows_for(make_xgboost(), 200))
    order = np.argsort(np.abs(answer.expected_return))
    assert (np.diff(answer.confidence[order]) >= 0.0).all()
    assert len(np.unique(answer.confidence)) > 5


def test_the_rule_model_is_the_rule():
    model, rows = make_rule(entry_threshold=0.05), rows_for(make_rule(), 200)
    rows[3, 2] = np.nan
    direction, confidence = rule_signals(rows, names=FEATURE_NAMES, parameters=model.parameters)
    answer = model.predict(rows)
    assert np.array_equal(answer.direction, direction)
    assert np.array_equal(answer.confidence, confidence)
    assert answer.direction[3] == 0
    assert answer.direction.any()
    assert np.isnan(answer.expected_return).all()


@pytest.mark.parametrize("shape", [(3,), (2, 99)])
def test_rows_of_another_shape_are_refused(model, shape):
    with pytest.raises(ConfigInvalid, match="columns in that order"):
        model.predict(np.zeros(shape))


def test_a_rule_without_its_features_is_refused():
    with pytest.raises(ConfigInvalid, match="no feature"):
        RuleModel(feature_names=("ret_1",), horizon_sessions=5, parameters=RuleParameters())


def test_no_rows_are_answered_with_none(model):
    answer = model.predict(np.empty((0, len(model.feature_names))))
    assert len(answer.direction) == len(answer.confidence) == len(answer.expected_return) == 0


def test_a_bundle_is_never_overwritten(model, tmp_path):
    model.save(tmp_path / "bundle")
    with pytest.raises(StoreUnavailable, match="give a new folder"):
        model.save(tmp_path / "bundle")


def test_a_missing_folder_or_file_is_named(tmp_path):
    with pytest.raises(ArtifactMissing, match="no such folder"):
        load_bundle(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtifactMissing, match=r"no model\.json"):
        load_bundle(tmp_path / "empty")
    make_xgboost().save(tmp_path / "bundle")
    (tmp_path / "bundle" / "booster.ubj").unlink()
    with pytest.raises(ArtifactMissing, match=r"no booster\.ubj"):
        load_bundle(tmp_path / "bundle")


class _Exploit:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code in a bundle was run')",))


@pytest.mark.parametrize("name", ["model.pkl", "code/loader.py", ".hidden"])
def test_files_that_do_not_belong_are_refused_unread(model, tmp_path, name):
    model.save(tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(_Exploit()))
    with pytest.raises(DataCorrupt, match="do not belong") as refusal:
        load_bundle(tmp_path / "bundle")
    assert refusal.value.data["extra"] == [name]


@pytest.mark.parametrize(
    "change",
    [
        {"format": "ordinis.signal_model/2"},
        {"kind": "os.system"},
        {"feature_names": []},
        {"feature_names": ["a", "a", "b"]},
        {"feature_names": ["a", "b"]},
        {"horizon_sessions": 0},
        {"parameters": {"min_edge_bps": 12.0}},
        {"parameters": {"min_edge_bps": 12.0, "scale": 0.0}},
        {"loader": "evil"},
        {"files": {}},
    ],
)
def test_a_header_that_does_not_fit_is_corrupt(tmp_path, change):
    folder = tmp_path / "bundle"
    make_xgboost().save(folder)
    header = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(header | change))
    with pytest.raises(DataCorrupt):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_header_that_is_not_json_is_corrupt(tmp_path, content):
    folder = tmp_path / "bundle"
    make_rule().save(folder)
    (folder / "model.json").write_bytes(content)
    with pytest.raises(DataCorrupt, match="ordinis-learn train"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"not a booster", b"{}"])
def test_changed_trees_are_caught_before_xgboost_ends_the_process(tmp_path, content):
    folder = tmp_path / "bundle"
    make_xgboost().save(folder)
    (folder / "booster.ubj").write_bytes(content)
    with pytest.raises(DataCorrupt) as refusal:
        load_bundle(folder)
    assert refusal.value.data["changed"] == ["booster.ubj"]


def test_a_rule_bundle_with_unknown_parameters_is_corrupt(tmp_path):
    folder = tmp_path / "bundle"
    make_rule().save(folder)
    header = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(header | {"parameters": {"leverage": 3}}))
    with pytest.raises(DataCorrupt, match="rule"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": [4]},
        {"hidden": [4, 3]},
        {"center": [0.0, 0.0]},
        {"spread": [1.0, 0.0, 1.0]},
        {"unit": 0.0},
        {"layers": 3},
    ],
)
def test_weights_that_are_not_what_the_header_declares_are_refused(tmp_path, change):
    folder = tmp_path / "bundle"
    make_network().save(folder)
    header = json.loads((folder / "model.json").read_text())
    header["parameters"] |= change
    (folder / "model.json").write_text(json.dumps(header))
    with pytest.raises(DataCorrupt):
        load_bundle(folder)


def test_a_network_is_served_without_torch(tmp_path):
    make_network().save(tmp_path / "bundle")
    code = (
        "import pathlib, sys; from ordinis_learn.models import load_bundle; "
        f"load_bundle(pathlib.Path({str(tmp_path / 'bundle')!r})).predict([[0, 0, 0]]); "
        "print(sorted({'torch', 'xgboost'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
