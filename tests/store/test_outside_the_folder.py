"""A model whose bytes lie outside of its folder has no digest, is not opened, and gets nowhere."""

from __future__ import annotations

import shutil

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import tree_sha256
from ordinis_mlflow._artifacts import bundle_of
from ordinis_mlflow._change import DIGEST_TAG
from ordinis_mlflow.registry import MlflowModelRegistry

MODEL = "sp500_signal"


def absolute(folder, elsewhere):
    (folder / "MLmodel").write_text(f"flavors:\n  python_function:\n    data: {elsewhere}\n")


def dotted(folder, elsewhere):
    (folder / "MLmodel").write_text(f"flavors:\n  python_function:\n    data: ../../{elsewhere.name}\n")


def code(folder, elsewhere):
    (folder / "MLmodel").write_text(
        f"flavors:\n  python_function:\n    data: data/bundle\n    code: {elsewhere}\n"
    )


def linked(folder, elsewhere):
    shutil.rmtree(folder / "data" / "bundle")
    (folder / "data" / "bundle").symlink_to(elsewhere, target_is_directory=True)


@pytest.fixture
def elsewhere(desk):
    folder = desk.home / "elsewhere"
    folder.mkdir()
    (folder / "model.json").write_text('{"rule": "benign"}')
    return folder


@pytest.mark.parametrize("lead_out", [absolute, dotted, code, linked])
def test_what_leads_out_of_its_folder_has_no_digest_and_is_not_promoted(desk, elsewhere, lead_out):
    folder = desk.write_model("outside")
    lead_out(folder, elsewhere)
    before = tree_sha256(folder)
    (elsewhere / "model.json").write_text('{"rule": "hostile"}')
    assert tree_sha256(folder) == before  # which is why it says nothing
    desk.store.create_registered_model(MODEL)
    made = desk.store.create_model_version(MODEL, str(folder))
    assert DIGEST_TAG not in made.tags
    with pytest.raises(MlflowException, match="artifact"):
        desk.store.transition_model_version_stage(MODEL, made.version, "shadow", False)
    registry = MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database, clock=desk.clock
    )
    with pytest.raises(DataCorrupt):
        registry.local_path(MODEL, str(made.version))
    with pytest.raises(DataCorrupt, match="leads out of"):
        bundle_of(folder, name=MODEL, version="1")


def test_a_link_to_a_file_is_hashed_like_the_file(desk, elsewhere):
    folder = desk.write_model("inside")
    target = folder / "data" / "bundle" / "model.json"
    target.unlink()
    target.symlink_to(elsewhere / "model.json")
    before = tree_sha256(folder)
    (elsewhere / "model.json").write_text('{"rule": "hostile"}')
    assert tree_sha256(folder) != before
    assert bundle_of(folder, name=MODEL, version="1") == folder / "data" / "bundle"
