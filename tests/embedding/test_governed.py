"""An embedding model from answers to ACTIVE: trained, judged, let through when better and refused when worse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.errors import RolloutDenied
from ordinis_learn.records import Actor, Role, State
from ordinis_learn.use_cases.approve import answer_request
from ordinis_learn.use_cases.refusals import refused_rules
from ordinis_learn.use_cases.sign import create_identity, reference
from ordinis_learn.wiring import registry_uri, tracking_uri

pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")
pytestmark = pytest.mark.slow


def approved(engine, artifact):
    bench = engine.workbench
    for name in ("grace", "alan"):
        if not bench.keys.exists(name):
            create_identity(
                bench, name, roles=(Role.APPROVER,), actor=Actor(name="researcher", kind="claimed")
            )
        answer_request(
            bench, reference(artifact), target=State.ACTIVE, answer="approve", identity=name, comment="read"
        )


def config(**changes):
    return {
        "model_type": "embed_model",
        "name": "finder",
        "dimensions": 512,
        "rank": 48,
        "epochs": 15,
    } | changes


def trained(engine, source):
    dataset, documents = source
    return engine.train(config(dataset=dataset, documents=documents))


def activate(engine, artifact):
    engine.rollout(artifact.artifact_id, {"stage": "shadow"})
    approved(engine, artifact)
    engine.rollout(artifact.artifact_id, {"stage": "active"})


@pytest.fixture
def served(engine, monkeypatch):
    """Load by name from the desk's registry, as whoever serves the model does."""
    import mlflow

    tracking, registry = tracking_uri(engine.workbench.settings), registry_uri(engine.workbench.settings)
    # MLflow writes the registry's address into the environment and never takes it back.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", registry)
    mlflow.set_tracking_uri(tracking)
    mlflow.set_registry_uri(registry)
    yield mlflow.pyfunc
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


@pytest.mark.usefixtures("pack")
def test_synonyms_are_learnt_promoted_and_what_forgets_them_is_refused(engine, answers, served):
    first = engine.train(config(epochs=0))
    card = engine.evaluate(first.artifact_id, "rag_eval_v1")
    assert (card["baseline"], card["metrics"]["recall_at_k"] < 0.1) == (None, True)
    assert card["metrics"]["recall_at_k"] == card["metrics"]["encoder_recall_at_k"]
    activate(engine, first)

    better = trained(engine, answers("right"))
    card = engine.evaluate(better.artifact_id, "rag_eval_v1")
    assert card["baseline"]["version"] == first.version
    assert card["metrics"]["recall_at_k"] > 0.75
    for measure in ("recall_at_k", "mrr", "ndcg_at_k", "hit_at_k"):
        assert card["differences"][measure]["verdict"] == "pass"
        assert card["differences"][f"{measure}_over_encoder"]["verdict"] == "pass"
        assert card["differences"][measure]["minimum_detectable"] > 0.0
    activate(engine, better)

    # Taught that every word means its neighbour.
    worse = trained(engine, answers("wrong", seed=2, day=3, swapped=True))
    card = engine.evaluate(worse.artifact_id, "rag_eval_v1")
    assert card["differences"]["recall_at_k"]["verdict"] == "fail"
    engine.rollout(worse.artifact_id, {"stage": "shadow"})
    approved(engine, worse)
    with pytest.raises(RolloutDenied):
        engine.rollout(worse.artifact_id, {"stage": "active"})
    assert refused_rules(engine.workbench, worse) == {
        "measure_not_inferior:recall_at_k",
        "measure_not_inferior:mrr",
    }

    vectors = served.load_model("models:/finder@active").predict(pd.DataFrame({"text": ["margins", ""]}))
    assert vectors.shape == (2, 512)
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.usefixtures("pack")
def test_from_the_command_line(engine, answers, tmp_path):
    dataset, documents = answers("right")
    path = tmp_path / "finder.yaml"
    path.write_text(
        f"model_type: embed_model\nname: other\ndataset: {dataset}\ndocuments: {documents}\n"
        "dimensions: 256\nrank: 16\nepochs: 2\n"
    )
    home = str(engine.workbench.settings.home)

    def typed(*words):
        found = CliRunner().invoke(main, ["--home", home, *words], env={"LEARN_MIN_SAMPLES": "100"})
        assert found.exit_code == 0, found.output
        return found.output

    assert "finder v1 is a CANDIDATE" in typed("train", "--config", str(path), "--name", "finder")
    assert "recall_at_k" in typed("evaluate", "finder", "1", "--pack", "rag_eval_v1")
    assert "identical" in typed("reproduce", "finder", "1")
