"""A model in a process of its own: what it does wrong comes back as an answer, and it reaches nothing."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.shadow.answer import Answer, Outcome
from ordinis_learn.shadow.isolated import MOST_TIMEOUTS, IsolatedModel
from ordinis_learn.testing import InProcessModel, StagedModel
from ordinis_learn.testing.staged_model import CUES, STAGED_LOADER, load_staged


@pytest.fixture
def bundle(tmp_path):
    StagedModel(feature_names=("ret_20", "cue")).save(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def model(bundle):
    with IsolatedModel(bundle, limit_seconds=0.5, loader=STAGED_LOADER) as model:
        yield model


def rows(*cues, value=0.3):
    return np.array([[value, CUES[cue]] for cue in cues])


@pytest.mark.parametrize("isolated", [True, False])
def test_it_says_what_the_model_says_and_lives_with_what_it_cannot(bundle, isolated):
    load = InProcessModel(bundle, load=load_staged)
    model = IsolatedModel(bundle, limit_seconds=60, loader=STAGED_LOADER) if isolated else load
    model.start()
    assert model.feature_names == ("ret_20", "cue")
    asked = np.column_stack([np.linspace(-1, 1, 30_000), np.zeros(30_000)])
    answer, there = model.ask(asked), StagedModel().predict(asked)
    assert np.array_equal(answer.direction, there.direction)
    assert np.array_equal(answer.confidence, there.confidence)
    assert np.array_equal(answer.expected_return, there.expected_return)
    assert set(answer.outcome) == {Outcome.SCORED}
    assert answer.latency_us > 0
    for cue, outcome in {"raise": Outcome.ERROR, "nan": Outcome.NAN, "nonsense": Outcome.ERROR}.items():
        assert model.ask(rows(cue)).outcome == (outcome,)
    assert model.ask(rows("raise")).error == "ValueError: staged to raise"
    model.forgive()
    model.close()


def test_a_process_that_ended_is_an_answer_and_the_next_question_is_answered(model):
    for cue in ("raise", "die"):
        assert model.ask(rows(cue)).outcome == (Outcome.ERROR,)
        assert model.ask(rows("answer")).outcome == (Outcome.SCORED,)
    assert "status 3" in model.ask(rows("die")).error


def test_one_that_hangs_is_ended_and_after_three_times_not_asked_any_more(model):
    process = model.pid
    for _ in range(MOST_TIMEOUTS):
        answer = model.ask(rows("hang", "answer"))
        assert answer.outcome == (Outcome.TIMEOUT, Outcome.TIMEOUT)
        assert answer.latency_us >= 0.5e6
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert model.ask(rows("answer")).outcome == (Outcome.TIMEOUT,)
    assert model.pid is None
    model.forgive()
    assert model.ask(rows("answer")).outcome == (Outcome.SCORED,)


def test_one_that_stalls_is_asked_once_more_and_the_wait_is_in_its_latency(bundle):
    with IsolatedModel(bundle, limit_seconds=2, loader=STAGED_LOADER) as model:
        process = model.pid
        answer = model.ask(rows("answer", "stall"))
        assert answer.outcome == (Outcome.SCORED, Outcome.SCORED)
        assert answer.latency_us >= 2e6
        assert model.pid not in {None, process}
        assert model.ask(rows("answer")).latency_us < 2e6


def test_a_bundle_that_cannot_be_loaded_is_an_error_with_the_reason(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataCorrupt, match=r"staged\.json"):
        IsolatedModel(tmp_path / "empty", limit_seconds=1, loader=STAGED_LOADER).start()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_process_holds_one_socket_no_settings_and_none_of_our_handles(tmp_path, bundle, monkeypatch):
    monkeypatch.setenv("LEARN_BUS_URL", "nats://secret@127.0.0.1:4222")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'tracking.db'}")
    opened = (tmp_path / "orders.db").open("w")
    with opened, IsolatedModel(bundle, limit_seconds=60, loader=STAGED_LOADER) as model:
        model.ask(rows("answer"))
        place = Path("/proc") / str(model.pid)
        held = {int(fd.name): str(fd.readlink()) for fd in (place / "fd").iterdir()}
        environment = (place / "environ").read_bytes().split(b"\0")
        mapped = (place / "maps").read_text()
    beyond_standard = {number: target for number, target in held.items() if number > 2}
    assert len(beyond_standard) == 1
    assert next(iter(beyond_standard.values())).startswith("socket:")
    assert (held[0], held[1]) == ("/dev/null", "/dev/null")
    names = {entry.split(b"=")[0].decode() for entry in environment if entry}
    assert not {name for name in names if name.startswith(("LEARN_", "ORDINIS_", "MLFLOW_"))}
    assert "psycopg" not in mapped
    assert "nats" not in mapped


def test_loading_a_model_loads_nothing_that_records_or_publishes():
    import subprocess

    code = (
        "import sys, json\n"
        "import ordinis_learn.shadow._scoring_process, ordinis_learn.models._xgboost\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.startswith('ordinis'))))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert "ordinis_learn.models._xgboost" in loaded
    beyond = ("bus", "capture", "ports", "rollout", "settings", "use_cases", "wiring", "workbench")
    assert not [name for name in loaded if name.split(".")[1:2] and name.split(".")[1] in beyond]
    assert not [name for name in loaded if name.startswith(("ordinis_mlflow", "ordinis_registry"))]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.floats(allow_nan=True, allow_infinity=True, width=64)] * 3), min_size=1, max_size=6
    )
)
def test_only_a_direction_with_a_confidence_is_usable(said):
    answer = Answer.read(np.array(said, dtype=float).T, latency_us=1.0)
    for outcome, direction, confidence in zip(
        answer.outcome, answer.direction, answer.confidence, strict=True
    ):
        usable = direction in {-1.0, 0.0, 1.0} and 0.0 <= confidence <= 1.0
        assert usable == (outcome is Outcome.SCORED)
