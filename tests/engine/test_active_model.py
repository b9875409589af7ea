"""What is ACTIVE is loaded once, and never older than it says."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import ordinis_learn
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.use_cases.active_model import ActiveModels


class Registry:
    """Says what a test wrote into it, and counts."""

    def __init__(self):
        self.active, self.asked, self.broken = "1", 0, False

    def active_version(self, _name):
        self.asked += 1
        if self.broken:
            raise StoreUnavailable("ask", found="gone", next_step="again")
        return self.active

    def local_path(self, name, version):
        return Path(name) / version


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def loaded():
    return []


@pytest.fixture
def models(registry, now, loaded):
    def load(folder):
        loaded.append(folder.name)
        return f"model {folder.name}"

    return ActiveModels(registry, seconds=lambda: now[0], max_age_seconds=1.0, load=load)


def test_it_is_loaded_once_and_asked_for_once_a_second(models, registry, now, loaded):
    assert {models.get("signal") for _ in range(5)} == {"model 1"}
    now[0] = 1.0
    assert models.get("signal") == "model 1"
    assert (registry.asked, loaded) == (2, ["1"])


def test_another_version_and_a_flat_model_are_seen_within_a_second(models, registry, now, loaded):
    models.get("signal")
    registry.active = "2"
    now[0] = 0.99
    assert models.get("signal") == "model 1"
    now[0] = 1.0
    assert models.get("signal") == "model 2"
    registry.active = None
    now[0] = 2.0
    assert models.get("signal") is None
    assert loaded == ["1", "2"]


def test_an_old_answer_is_not_given_for_a_registry_that_is_gone(models, registry, now):
    models.get("signal")
    registry.broken = True
    now[0] = 1.0
    with pytest.raises(StoreUnavailable):
        models.get("signal")


def test_threads_load_it_once(models, registry, loaded):
    threads = [threading.Thread(target=models.get, args=("signal",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (registry.asked, loaded) == (1, ["1"])


def test_it_is_there_by_its_public_name(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path))
    assert ordinis_learn.active_model("nothing") is None
