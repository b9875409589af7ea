"""Train again and compare: what is the same, what differs, what cannot be compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt
from ordinis_learn.models import load_bundle
from ordinis_learn.training import Provenance
from ordinis_learn.use_cases.reproduce import reproduce
from ordinis_learn.wiring import tracking_uri

CONFIG = {"name": "twin", "dataset": "core", "rounds": 10, "folds": 2, "seed": 3, "trials": 3}


def test_a_search_and_its_model_come_out_the_same_and_nothing_is_recorded(engine):
    bench = engine.workbench
    artifact = engine.train(CONFIG)
    known = len(bench.ledger.history("twin"))
    found = reproduce(bench, "twin", artifact.version)
    assert found.identical
    assert found.circumstances == () or "uncommitted" in found.circumstances[-1]
    assert len(bench.ledger.history("twin")) == known
    assert [one.version for one in bench.catalogue.artifacts("twin")] == ["1"]


def test_a_rule_is_reproduced_too(engine):
    engine.train({"name": "desk_rule", "model": "rule"})
    assert reproduce(engine.workbench, "desk_rule", "1").identical


class AnotherVersionsBytes:
    """A registry in which version 1 has the bytes of version 2."""

    def __init__(self, registry):
        self._registry = registry

    def local_path(self, name, version):
        del version
        return self._registry.local_path(name, "2")


def test_other_bytes_are_named_with_what_was_otherwise(engine):
    engine.train(CONFIG)
    engine.train(CONFIG | {"seed": 4})
    today = Provenance(code_commit="c0ffee", code_dirty=False, dirty_patch="", env_hash="11" * 32)
    bench = replace(
        engine.workbench,
        registry=AnotherVersionsBytes(engine.workbench.registry),
        provenance=lambda: today,
    )
    found = reproduce(bench, "twin", "1")
    assert not found.identical
    assert "booster.ubj" in found.differing
    assert any(told.startswith("environment: ") for told in found.circumstances)


def test_a_configuration_that_somebody_edited_is_refused(engine):
    from mlflow import MlflowClient

    artifact = engine.train(CONFIG)
    client = MlflowClient(tracking_uri=tracking_uri(engine.workbench.settings))
    folder = Path(unquote(urlsplit(client.get_run(artifact.run_id).info.artifact_uri).path))
    path = folder / "train_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 4}))
    with pytest.raises(DataCorrupt, match="hash that was signed"):
        reproduce(engine.workbench, "twin", "1")


def test_a_version_that_is_not_there_is_named(engine):
    with pytest.raises(ArtifactMissing, match="none"):
        reproduce(engine.workbench, "twin", "1")


def test_classes_are_registered_and_reproduced_too(engine):
    artifact = engine.train(CONFIG | {"name": "classes", "objective": "binary", "trials": 0})
    bench = engine.workbench
    assert load_bundle(bench.registry.local_path("classes", artifact.version)).kind == "xgboost_classes"
    assert reproduce(bench, "classes", artifact.version).identical


class MarkingCatalogue:
    """A catalogue in which every artifact was fitted across workers."""

    def __init__(self, catalogue):
        self._catalogue = catalogue

    def artifacts(self, name):
        return [one.model_copy(update={"reproducible": False}) for one in self._catalogue.artifacts(name)]


def test_a_model_that_is_marked_as_not_reproducible_is_not_compared(engine):
    engine.train({"name": "marked", "model": "rule"})
    bench = replace(engine.workbench, catalogue=MarkingCatalogue(engine.workbench.catalogue))
    with pytest.raises(ConfigInvalid, match="not reproducible"):
        reproduce(bench, "marked", "1")
