"""The training of an embedding model: bytes, record, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from ordinis_learn.datasets.answers import ANSWER_SCHEMA
from ordinis_learn.errors import ConfigInvalid, DataMissing, DatasetRejected, TrainFailed
from ordinis_learn.models import load_embedder
from ordinis_learn.records import file_sha256
from ordinis_learn.testing import InMemoryTracker
from ordinis_learn.training import EmbedConfig, train_embedder
from ordinis_learn.use_cases.train_embedding import parse_embedding

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ROWS = 60


@pytest.fixture
def answers():
    """Each query names its document by the synonym of a number."""
    plain = dict.fromkeys(ANSWER_SCHEMA.names)
    rows = [
        plain
        | {
            "query": f"asks{number} twice{number}",
            "cited": json.dumps([{"doc_id": f"d{number}", "locator": ""}]),
            "relevant": "[]",
            "ts_response": NOON,
        }
        for number in range(ROWS)
    ]
    return pa.Table.from_pylist(rows, schema=ANSWER_SCHEMA)


@pytest.fixture
def documents(tmp_path):
    path = tmp_path / "documents.jsonl"
    lines = [{"doc_id": f"d{n}", "locator": "", "text": f"tells{n} all of it"} for n in range(ROWS)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def embed(answers, documents, manifest_of, provenance, tmp_path):
    def call(*, name="first", tracker=None, manifest=None, min_samples=10, **changes):
        (tmp_path / name).mkdir()
        values = {
            "name": "finder",
            "dataset": "answers@1f",
            "documents": str(documents),
            "dimensions": 64,
            "rank": 4,
            "epochs": 3,
            "batch_pairs": 16,
        }
        config = EmbedConfig(**(values | changes))
        given = manifest or manifest_of(answers).model_copy(update={"kind": "rag_eval", "feature_names": ()})
        return train_embedder(
            config,
            manifest=None if config.dataset is None else given,
            table=None if config.dataset is None else answers,
            tracker=tracker or InMemoryTracker(tmp_path / name / "runs"),
            provenance=provenance,
            datasets_root=tmp_path,
            scratch=tmp_path / name,
            min_samples=min_samples,
            trainer="researcher",
            clock=lambda: NOON,
        )

    return call


def hashes(trained):
    return {path.name: file_sha256(path) for path in trained.bundle.iterdir()}


@pytest.fixture
def _torch():
    pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")


@pytest.mark.usefixtures("_torch")
@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_the_same_training_gives_the_same_bytes_and_another_seed_others(embed, activation):
    one, same = (embed(name=name, activation=activation) for name in ("one", "same"))
    other = embed(name="other", activation=activation, seed=8)
    assert hashes(one) == hashes(same)
    assert hashes(one)["adapter.safetensors"] != hashes(other)["adapter.safetensors"]


@pytest.mark.usefixtures("_torch")
def test_a_run_says_what_went_into_it(embed, documents, tmp_path):
    tracker = InMemoryTracker(tmp_path / "book")
    trained = embed(tracker=tracker)
    (run,) = tracker.runs
    assert run.status == "FINISHED"
    assert run.tags["ordinis.model_type"] == "embed_model"
    assert run.tags["ordinis.documents_sha256"] == file_sha256(documents)
    assert {"plots/learning_curves.png", "train_config.json", "provenance/dirty.patch"} <= set(run.files)
    assert len(run.metrics["fold_0/valid_loss"]) <= 3
    artifact = trained.artifact
    assert (artifact.model_type, artifact.trained_from) == ("embed_model", "2026-01-05")
    assert (artifact.metrics["pairs"], artifact.metrics["valid_pairs"]) == (60.0, 12.0)
    loaded = load_embedder(trained.bundle)
    assert len(loaded.seen) == ROWS


@pytest.mark.usefixtures("_torch")
def test_without_held_out_pairs_all_epochs_are_run(embed):
    assert embed(validation_share=0.0).artifact.metrics["epochs"] == 3.0


@pytest.mark.usefixtures("_torch")
def test_what_cannot_be_trained_on_is_refused_by_name(embed, documents, manifest_of, answers, tmp_path):
    other = manifest_of(answers)
    with pytest.raises(ConfigInvalid, match="kind signal, not rag_eval"):
        embed(name="a", manifest=other)
    rejected = manifest_of(answers, success=False).model_copy(update={"kind": "rag_eval"})
    with pytest.raises(DatasetRejected):
        embed(name="b", manifest=rejected)
    with pytest.raises(ConfigInvalid, match="documents_sha256"):
        embed(name="c", documents_sha256="0" * 64)
    with pytest.raises(ConfigInvalid, match="no file"):
        embed(name="d", documents=str(tmp_path / "nowhere"))
    with pytest.raises(DataMissing, match="60 pairs"):
        embed(name="e", min_samples=61)
    embed(name="f", documents_sha256=file_sha256(documents))


@pytest.mark.usefixtures("_torch")
def test_a_fit_that_diverges_fails_its_run(embed, tmp_path):
    tracker = InMemoryTracker(tmp_path / "book")
    with pytest.raises(TrainFailed, match="learning_rate"):
        embed(tracker=tracker, learning_rate=1.0, weight_decay=1e30, epochs=20, validation_share=0.0)
    assert tracker.runs[0].status == "FAILED"


def test_the_encoder_itself_is_declared_without_torch_or_data(embed):
    trained = embed(dataset=None, documents=None, epochs=0)
    assert trained.artifact.data_snapshot_ref == "declared"
    assert set(hashes(trained)) == {"model.json", "seen.json"}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"epochs": 3}, "needs a dataset"),
        ({"epochs": 0, "dataset": "a"}, "nothing is trained"),
        ({"epochs": 0, "encoder": "gpt"}, "encoder"),
        ({"epochs": 0, "rank": 0}, "rank"),
        ({"epochs": 0, "name": "a b"}, "name"),
    ],
)
def test_a_wrong_field_is_named(change, found):
    with pytest.raises(ConfigInvalid, match=found):
        parse_embedding({"name": "finder"} | change)


def test_without_torch_the_extra_is_named(documents):
    code = f"""
import sys
import pyarrow as pa
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.training import EmbedConfig
from ordinis_learn.training.embed_trainer import _fit
sys.modules["torch"] = None  # as where it is not installed
config = EmbedConfig(name="finder", dataset="a", documents={str(documents)!r})
try:
    _fit(config, table=pa.table({{}}), run=None, min_pairs=2)
except ConfigInvalid as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'ordinis-learn[torch]'" in found.stdout
