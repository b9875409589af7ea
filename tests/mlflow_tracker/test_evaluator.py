"""``mlflow.models.evaluate(…, evaluators="ordinis")`` and the scorers, by MLflow itself."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ordinis_learn.bench import PackSpec, generate_pack, write_pack
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market import load_sp500
from ordinis_mlflow._evaluator import mlflow  # imported with its own warning silenced

# MLflow's own evaluation uses arguments that pandas 4 will not take any more.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pandas.errors.PandasChangeWarning", "ignore::UserWarning:mlflow"
)
NAMES = ("ret_1", "mom_126")
ROWS = pd.DataFrame({name: [0.0, 1.0] for name in NAMES})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench-home")
    history = load_sp500().between(date(2012, 1, 3), date(2021, 12, 31))
    manifest, prices = generate_pack(
        history, PackSpec(pack_id="small", end=date(2021, 12, 31), years_lookback=5, windows=8)
    )
    write_pack(manifest, prices, root=folder / "data" / "bench")
    return folder


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("MLFLOW_GENAI_EVAL_MAX_WORKERS", "1")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("bench", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment(experiment_id=experiment)
    yield
    mlflow.set_tracking_uri(None)


@pytest.fixture
def model(tmp_path):
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    class Momentum(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # noqa: ARG002
            return pd.DataFrame({"direction": np.sign(model_input["mom_126"]).astype(np.int32)})

    path = tmp_path / "momentum"
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.double, name) for name in NAMES]),
        outputs=Schema([ColSpec(DataType.integer, "direction")]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about an example that this model does not need
        mlflow.pyfunc.save_model(path, python_model=Momentum(), signature=signature, pip_requirements=[])
    return str(path)


def evaluated(model, home, **config):
    given = {"pack": "small", "home": str(home), "declared": True} | config
    given = {key: value for key, value in given.items() if value is not None}
    with mlflow.start_run() as run:
        result = mlflow.models.evaluate(
            model, ROWS, model_type="signal_model", evaluators="ordinis", evaluator_config=given
        )
    return result, run.info.run_id


@pytest.mark.usefixtures("tracked")
def test_any_pyfunc_gets_a_scorecard_in_its_run(model, home):
    result, run_id = evaluated(model, home, baseline=model)
    card = result.artifacts["scorecard.json"].content
    assert (card["pack_id"], card["windows"]) == ("small", len(card["purged_windows"]) + card["windows"])
    assert result.metrics["sharpe"] == pytest.approx(card["metrics"]["sharpe"])
    assert card["differences"]["max_drawdown"]["estimate"] == 0.0
    client = mlflow.MlflowClient()
    assert client.get_run(run_id).data.metrics["max_drawdown"] == pytest.approx(
        card["metrics"]["max_drawdown"]
    )
    kept = json.loads(Path(client.download_artifacts(run_id, "scorecard.json")).read_text())
    assert kept["metrics"] == card["metrics"]


@pytest.mark.usefixtures("tracked")
def test_windows_that_it_was_trained_on_are_left_out(model, home):
    whole, _ = evaluated(model, home)
    seen, _ = evaluated(model, home, declared=None, trained_from="2010-01-04", trained_until="2018-12-31")
    cards = [one.artifacts["scorecard.json"].content for one in (whole, seen)]
    assert cards[1]["purged_windows"]
    assert cards[1]["sessions"] < cards[0]["sessions"]


@pytest.mark.usefixtures("tracked")
@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"declared": None}, "say trained_until"),
        ({"trained_until": "2018-12-31"}, "say trained_until"),
        ({"horizon_sessions": 0}, "horizon_sessions"),
        ({"packs": "small"}, "packs"),
    ],
)
def test_a_wrong_configuration_is_named(model, home, config, found):
    with pytest.raises(ConfigInvalid, match=found):
        evaluated(model, home, **config)


def test_the_entry_point_loads_nothing_of_mlflow():
    code = "import ordinis_mlflow.evaluator_entry, sys; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("tracked")
def test_scorers_show_in_mlflow_s_evaluation():
    from ordinis_mlflow.scorers import citation_share, refusal, schema_valid

    schema = {"type": "object", "required": ["claims"]}
    good = {"claims": [{"text": "Margin rose.", "citations": [{"doc_id": "10-Q"}]}]}
    fenced = (
        "```json\n"
        + json.dumps({"claims": [{"text": "So did cash.", "citations": [{"doc_id": "x"}]}]})
        + "\n```"
    )
    rows = [
        {"inputs": {"question": "Why?", "documents": [{"doc_id": "10-Q"}]}, "outputs": text}
        for text in (json.dumps(good), fenced, "I'm sorry, but I can't help with that.")
    ]
    result = mlflow.genai.evaluate(
        data=rows,
        scorers=[schema_valid(schema), schema_valid(schema, repaired=False), citation_share(), refusal()],
    )
    assert result.metrics["schema_valid/mean"] == pytest.approx(2 / 3)
    assert result.metrics["schema_valid_before_repair/mean"] == pytest.approx(1 / 3)
    assert result.metrics["citation_coverage/mean"] == pytest.approx(1 / 2)
    assert result.metrics["refusal/mean"] == pytest.approx(1 / 3)
