"""Text encoders and the bundles that stand on them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt
from ordinis_learn.models import (
    EMBED_FORMAT,
    Adapter,
    EmbedModel,
    EncoderSpec,
    bundle_format,
    load_bundle,
    load_embedder,
    open_encoder,
    query_mark,
)
from ordinis_learn.models.header import HEADER_FILE
from ordinis_learn.records import file_sha256

SPEC = EncoderSpec(kind="ngrams", dimensions=64)
TEXTS = ["Margin was 41 %.", "margins", "", "…", "Δ drawdown limit"]


def model(activation="relu", rank=4, seen=("which limit?",), seed=3):
    rng = np.random.default_rng(seed)
    adapter = Adapter(
        down=rng.normal(size=(rank, 64)).astype(np.float32),
        up=rng.normal(size=(64, rank)).astype(np.float32),
        activation=activation,
    )
    return EmbedModel(open_encoder(SPEC), adapter=adapter, seen=map(query_mark, seen))


@pytest.mark.parametrize("activation", ["linear", "relu"])
@given(texts=st.lists(st.text(max_size=40), max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_text_has_one_vector_alone_or_among_others_and_its_length_is_one(activation, texts):
    asked = model(activation)
    together = asked.encode(texts)
    alone = [asked.encode([text])[0] for text in texts]
    assert together.tolist() == [row.tolist() for row in alone]
    length = np.linalg.norm(together, axis=1)
    assert np.all(np.isclose(length, 1.0) | (length == 0.0))


def test_a_saved_model_is_the_same_model_and_the_same_bytes(tmp_path):
    model().save(tmp_path / "a")
    loaded = load_embedder(tmp_path / "a")
    loaded.save(tmp_path / "b")
    assert loaded.encode(TEXTS).tolist() == model().encode(TEXTS).tolist()
    assert loaded.seen == {query_mark("Which  limit?")}
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {HEADER_FILE, "adapter.safetensors", "seen.json"}
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert bundle_format(tmp_path / "a") == EMBED_FORMAT


def test_an_adapter_of_rank_zero_is_its_encoder(tmp_path):
    encoder = open_encoder(SPEC)
    EmbedModel(encoder, adapter=Adapter.nothing(64)).save(tmp_path / "bundle")
    assert load_embedder(tmp_path / "bundle").encode(TEXTS).tolist() == encoder.encode(TEXTS).tolist()


def test_the_adapter_computes_what_torch_computes():
    torch = pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")
    asked = model("relu")
    rows = asked.encoder.encode(TEXTS[:2])
    down, up = (torch.from_numpy(one.astype(np.float64)) for one in (asked._adapter.down, asked._adapter.up))
    x = torch.from_numpy(rows)
    expected = torch.nn.functional.normalize(x + torch.relu(x @ down.T) @ up.T, dim=1).numpy()
    np.testing.assert_allclose(asked.encode(TEXTS[:2]), expected, rtol=0, atol=1e-14)


def rewritten(folder, **files):
    """Exchange files, and let the header give the new hashes: what a careful forger would do."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    header = json.loads((folder / HEADER_FILE).read_text())
    header["files"] = {name: file_sha256(folder / name) for name in header["files"]}
    (folder / HEADER_FILE).write_text(json.dumps(header))


WEIGHTS = {"down": np.zeros((4, 64), np.float32), "up": np.zeros((64, 4), np.float32)}
UNFIT = {
    "another shape": WEIGHTS | {"up": np.zeros((4, 64), np.float32)},
    "another name": {"down": WEIGHTS["down"], "left": WEIGHTS["up"]},
    "not finite": WEIGHTS | {"up": np.full((64, 4), np.nan, np.float32)},
    "doubles": WEIGHTS | {"up": np.zeros((64, 4))},
}


@pytest.mark.parametrize("weights", UNFIT.values(), ids=UNFIT)
def test_weights_that_the_header_does_not_declare_are_corrupt(tmp_path, weights):
    model().save(tmp_path / "bundle")
    rewritten(tmp_path / "bundle", adapter__safetensors=save(weights))
    with pytest.raises(DataCorrupt, match=r"weight"):
        load_embedder(tmp_path / "bundle")


@pytest.mark.parametrize("content", [b"\x80\x04.", b"{}", b"[1]"])
def test_other_files_that_do_not_parse_are_corrupt(tmp_path, content):
    model().save(tmp_path / "bundle")
    rewritten(tmp_path / "bundle", seen__json=content)
    with pytest.raises(DataCorrupt):
        load_embedder(tmp_path / "bundle")


def test_files_that_were_changed_added_or_taken_are_refused(tmp_path):
    folder = tmp_path / "bundle"
    model().save(folder)
    (folder / "seen.json").write_text("[]")
    with pytest.raises(DataCorrupt, match="hash"):
        load_embedder(folder)
    (folder / "code.py").write_text("")
    with pytest.raises(DataCorrupt, match=r"code\.py"):
        load_embedder(folder)
    (folder / "seen.json").unlink()
    with pytest.raises(ArtifactMissing, match=r"seen\.json"):
        load_embedder(folder)
    with pytest.raises(ArtifactMissing, match="no such folder"):
        load_embedder(tmp_path / "nowhere")


def test_a_bundle_of_another_type_is_refused_by_its_format(tmp_path):
    model().save(tmp_path / "embed")
    with pytest.raises(ConfigInvalid, match=r"ordinis\.embed_model/1"):
        load_bundle(tmp_path / "embed")
    header = json.loads((tmp_path / "embed" / HEADER_FILE).read_text())
    for change in (
        {"format": "ordinis.signal_model/1"},
        {"encoder": {"kind": "os.system"}},
        {"rank": -1},
    ):
        (tmp_path / "embed" / HEADER_FILE).write_text(json.dumps(header | change))
        with pytest.raises(DataCorrupt):
            load_embedder(tmp_path / "embed")


def test_a_header_that_asks_word_vectors_for_another_width_is_refused(tmp_path):
    pytest.importorskip("wordllama", reason="install the extra: pip install -e '.[llm]'")
    model().save(tmp_path / "embed")
    header = json.loads((tmp_path / "embed" / HEADER_FILE).read_text())
    narrow = {"encoder": EncoderSpec(kind="wordllama", dimensions=64).to_json()}
    (tmp_path / "embed" / HEADER_FILE).write_text(json.dumps(header | narrow))
    with pytest.raises(DataCorrupt):
        load_embedder(tmp_path / "embed")


def test_word_vectors_are_pinned_by_the_hash_of_their_weights():
    pytest.importorskip("wordllama", reason="install the extra: pip install -e '.[llm]'")
    encoder = open_encoder(EncoderSpec(kind="wordllama"))
    vectors = encoder.encode(["equities fell", "", "stocks declined", "a recipe for soup"])
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1.0, 0.0, 1.0, 1.0])
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[3]
    assert open_encoder(encoder.spec) is encoder
    with pytest.raises(DataCorrupt, match="wordllama"):
        open_encoder(encoder.spec.model_copy(update={"weights_sha256": "0" * 64}))


def test_serving_loads_no_torch(tmp_path):
    model().save(tmp_path / "bundle")
    code = (
        "import pathlib, sys; from ordinis_learn.models import load_embedder; "
        f"load_embedder(pathlib.Path({str(tmp_path / 'bundle')!r})).encode(['a']); "
        "print(sorted({'torch', 'xgboost', 'wordllama', 'mlflow'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
