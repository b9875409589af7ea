"""A recurrent network over a symbol's history: fitted by torch, served by NumPy, blind to the future."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.evaluation import predict_grid
from ordinis_learn.market import FeatureCube
from ordinis_learn.market.lags import lagged_names
from ordinis_learn.models import load_bundle
from ordinis_learn.models.sequence import SequenceModel, ServedSequence
from ordinis_learn.records import tree_sha256
from ordinis_learn.training import SequenceParameters, TrainConfig
from ordinis_learn.training.answers import read_answers
from ordinis_learn.training.matrix import training_matrix
from ordinis_learn.use_cases.train import parse_config

SMALL = SequenceParameters(
    steps=3, stride_sessions=1, hidden=6, learning_rate=0.02, batch_rows=256, epochs=8, dropout=0.0
)
QUICK = {"name": "history", "dataset": "core", "model": "sequence", "folds": 2, "sequence": SMALL}


@pytest.fixture
def _torch():
    pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")


@pytest.fixture
def daily(manifest_of):
    """A manifest whose sessions are all days, as those of the tables here."""

    def made(table):
        manifest = manifest_of(table)
        return manifest.model_copy(update={"window": manifest.window.model_copy(update={"calendar": "24/7"})})

    return made


@pytest.fixture
def remembered(table_of):
    """Returns that follow what ``ret_5`` was two sessions ago: nothing that a row of one session can see."""
    table = table_of()
    symbols = 8
    signal = np.asarray(table["f_ret_5"])
    earlier = np.concatenate([np.zeros(2 * symbols), signal[: -2 * symbols]])
    noise = np.random.default_rng(5).normal(scale=0.01, size=len(signal))
    for horizon in (1, 5):
        place = table.column_names.index(f"fwd_ret_{horizon}d")
        table = table.set_column(place, f"fwd_ret_{horizon}d", pa.array(0.02 * earlier + noise))
    return table


def model(seed=1, *, steps=3, hidden=5, names=("a", "b")):
    rng = np.random.default_rng(seed)
    columns = steps * len(names)
    shapes = {
        "input": (3 * hidden, len(names)),
        "state": (3 * hidden, hidden),
        "input_bias": (3 * hidden,),
        "state_bias": (3 * hidden,),
        "out": (1, hidden),
        "out_bias": (1,),
    }
    return SequenceModel(
        {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()},
        feature_names=lagged_names(names, lags=tuple(reversed(range(steps)))),
        horizon_sessions=5,
        parameters=ServedSequence(
            steps=steps,
            hidden=hidden,
            center=(0.0,) * columns,
            spread=(1.0,) * columns,
            clip=8.0,
            unit=0.02,
            min_edge_bps=12.0,
            scale=0.02,
        ),
    )


@pytest.mark.usefixtures("_torch")
def test_an_edge_that_only_the_history_shows_is_found(train, remembered, daily):
    trained = train(TrainConfig(**QUICK, min_edge_bps=0.0), remembered, manifest=daily(remembered))
    blind = train(TrainConfig(name="one", dataset="core", model="torch", folds=2), remembered, name="blind")
    assert trained.artifact.metrics["mean_rank_ic"] > 0.5
    assert abs(blind.artifact.metrics["mean_rank_ic"]) < 0.1
    served = load_bundle(trained.bundle)
    assert served.feature_names[0] == "ret_5@2"
    row = np.zeros((2, 9))
    row[:, served.feature_names.index("ret_5@2")] = (2.0, -2.0)
    assert served.predict(row).direction.tolist() == [1, -1]


@pytest.mark.usefixtures("_torch")
def test_what_is_served_is_what_was_fitted(remembered, daily):
    from ordinis_learn.training._torch import fit_network_on_all_rows

    config = TrainConfig(**QUICK)
    matrix = training_matrix(config, manifest=daily(remembered), table=remembered, min_samples=1)
    final = fit_network_on_all_rows(matrix, config=config, parameters=SMALL, epochs=2)
    answers = read_answers(config, matrix=matrix, folds=(), sample=lambda: final.forecast)
    served = answers.network(final.weights, frame=final.frame, parameters=SMALL)
    answer = served.predict(matrix.features.astype(np.float64))
    assert answer.expected_return == pytest.approx(final.forecast, abs=1e-6)


@pytest.mark.usefixtures("_torch")
@pytest.mark.parametrize("seed", range(3))
def test_the_unit_computes_what_torch_computes_in_doubles(seed):
    import torch

    asked = model(seed)
    rows = np.random.default_rng(seed).normal(size=(40, 6))
    unit = torch.nn.GRU(2, 5, batch_first=True, dtype=torch.float64)
    weights = {name: torch.from_numpy(array.astype(np.float64)) for name, array in asked._weights.items()}
    with torch.no_grad():
        unit.weight_ih_l0.copy_(weights["input"])
        unit.weight_hh_l0.copy_(weights["state"])
        unit.bias_ih_l0.copy_(weights["input_bias"])
        unit.bias_hh_l0.copy_(weights["state_bias"])
        states, _ = unit(torch.from_numpy(rows).reshape(40, 3, 2))
        expected = (states[:, -1] @ weights["out"].T + weights["out_bias"])[:, 0].numpy() * 0.02
    np.testing.assert_allclose(asked.predict(rows).expected_return, expected, rtol=0, atol=1e-15)


@pytest.mark.usefixtures("_torch")
def test_one_seed_gives_the_same_bytes(train, remembered, daily):
    first, again, other = (
        train(TrainConfig(**QUICK, seed=seed), remembered, manifest=daily(remembered), name=name)
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert tree_sha256(first.bundle) == tree_sha256(again.bundle) != tree_sha256(other.bundle)


@pytest.mark.usefixtures("_torch")
def test_a_search_tries_sequences(train, remembered, daily, tracker):
    config = TrainConfig(**(QUICK | {"trials": 2, "sequence": SMALL.model_copy(update={"epochs": 2})}))
    trained = train(config, remembered, manifest=daily(remembered))
    children = [run for run in tracker.runs if "ordinis.trial" in run.tags]
    assert len(children) == trained.artifact.trials == 2
    assert {child.params["sequence.steps"] for child in children} == {"3"}


@given(seed=st.integers(0, 2**16), session=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_the_future_changes_no_forecast(seed, session):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(10, 3, 2))
    later = np.concatenate([values[: session + 1], rng.normal(size=(9 - session, 3, 2))])
    asked = model()
    before, after = (
        predict_grid(asked, FeatureCube(names=("a", "b"), values=some)) for some in (values, later)
    )
    np.testing.assert_array_equal(before.direction[: session + 1], after.direction[: session + 1])
    assert (before.rows, before.errors) == (8 * 3, 0)
    assert not before.direction[:2].any()  # too little history: flat


@given(seed=st.integers(0, 2**16), size=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_rows_alone_and_together_and_incomplete_ones_are_flat(seed, size):
    rows = np.random.default_rng(seed).normal(size=(size, 6)) * 10.0
    rows[0, 0] = np.nan
    asked = model()
    together = asked.predict(rows)
    alone = np.concatenate([asked.predict(row[None]).expected_return for row in rows])
    np.testing.assert_allclose(together.expected_return, alone, rtol=0, atol=1e-12)
    assert (together.direction[0], together.confidence[0]) == (0, 0.0)


def test_a_bundle_survives_the_round_trip(tmp_path):
    model().save(tmp_path / "a")
    loaded = load_bundle(tmp_path / "a")
    loaded.save(tmp_path / "b")
    assert tree_sha256(tmp_path / "a") == tree_sha256(tmp_path / "b")
    assert loaded.kind == "gru"


def test_a_stride_that_the_dataset_does_not_have_is_told(table_of, daily):
    weekly = table_of()
    keep = np.repeat(np.arange(400) % 5 == 0, 8)
    weekly = weekly.filter(pa.array(keep))
    config = TrainConfig(**(QUICK | {"sequence": SequenceParameters(stride_sessions=3)}))
    with pytest.raises(DataMissing, match=r"0 usable rows.*stride_sessions as a multiple"):
        training_matrix(config, manifest=daily(weekly), table=weekly, min_samples=1)
    fits = TrainConfig(**(QUICK | {"sequence": SequenceParameters(stride_sessions=5, steps=4)}))
    matrix = training_matrix(fits, manifest=daily(weekly), table=weekly, min_samples=1)
    assert len(matrix) == (80 - 3) * 8
    assert matrix.feature_names[0] == "ret_5@15"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sequence": {"steps": 1}}, "steps"),
        ({"monotone": {"ret_5": 1}}, "monotone"),
        ({"dataset": None}, "dataset"),
    ],
)
def test_a_wrong_field_is_named(change, found):
    with pytest.raises(ConfigInvalid, match=found):
        parse_config({"name": "history", "model": "sequence", "dataset": "core"} | change)


@pytest.mark.usefixtures("_torch")
def test_sensitivity_asks_no_gpu_for_a_backward_pass_that_it_has_for_training_alone(remembered, daily):
    import torch

    from ordinis_learn.training._torch_fit import Frame, NetworkFit
    from ordinis_learn.training.heads import head_of

    config = TrainConfig(**QUICK)
    matrix = training_matrix(config, manifest=daily(remembered), table=remembered, min_samples=1)
    everything = slice(None)
    frame = Frame.of(matrix, everything, head=head_of(config))
    fit = NetworkFit(matrix, frame=frame, rows=everything, config=config, parameters=SMALL)
    by_cudnn = []
    fit._network.register_forward_hook(lambda *_: by_cudnn.append(torch.backends.cudnn.enabled))
    assert len(fit.sensitivity()) == len(matrix.feature_names)
    assert by_cudnn == [False]
    assert torch.backends.cudnn.enabled


@pytest.mark.usefixtures("_torch")
def test_a_history_is_fitted_on_a_gpu_twice_alike(train, remembered, daily):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    config = TrainConfig(**QUICK, device="cuda")
    manifest = daily(remembered)
    one, two = (train(config, remembered, name=name, manifest=manifest) for name in ("one", "two"))
    assert tree_sha256(one.bundle) == tree_sha256(two.bundle)
