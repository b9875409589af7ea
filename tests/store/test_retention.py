"""Retired versions give up their bytes by policy, and nothing else; a hold keeps them."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.cli import main
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, RolloutDenied, StoreUnavailable
from ordinis_learn.records import ModelType, tree_sha256
from ordinis_learn.rollout import TRAINING_TAG
from ordinis_learn.settings import load_settings
from ordinis_mlflow._retention import PRUNE_REQUEST, answer, remove
from ordinis_mlflow.registry import MlflowModelRegistry

MODEL = "sp500_signal"


@pytest.fixture
def registry(desk):
    return MlflowModelRegistry(
        registry_uri=f"ordinis+{desk.url}", tracking_uri=desk.url, database=desk.database, clock=desk.clock
    )


@pytest.fixture
def keep_one(desk, monkeypatch):
    """A desk that keeps one retired version; the client's own store reads the same from the environment."""
    monkeypatch.setenv("LEARN_RETIRED_MODELS_KEPT", "1")
    monkeypatch.setenv("ORDINIS_HOME", str(desk.home))
    desk.store._settings = load_settings()
    return desk


@pytest.fixture
def registered(keep_one):
    """Register a version whose folder lies in the artifact root, and retire it."""

    def register(label, *, name=MODEL, retire=True):
        folder = keep_one.settings.models_dir / label
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(keep_one.write_model(label), folder)
        if not keep_one.store._exists(name):
            keep_one.store.create_registered_model(name)
        version = str(keep_one.store.create_model_version(name, str(folder)).version)
        if retire:
            keep_one.move(version, "retired", name=name)
        return version

    return register


def ask(desk, version, request="prune", value="now", *, name=MODEL):
    desk.tag(version, f"ordinis.request.{request}", value, name=name)


def refused(desk, version, request="prune", value="now", *, name=MODEL):
    with pytest.raises(MlflowException) as error:
        ask(desk, version, request, value, name=name)
    assert desk.ledger.history(name)[-1].action == "retention.refused"
    return str(error.value)


def test_old_bytes_go_with_a_record_and_everything_else_stays(keep_one, registered):
    desk = keep_one
    old, new = registered("old"), registered("new")
    folder = desk.address(old)
    digest, size = tree_sha256(folder), sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    before = desk.store.get_model_version(MODEL, old)
    assert "one of the newest 1" in refused(desk, new)
    ask(desk, old)
    assert not folder.exists()
    assert desk.address(new).is_dir()
    record = desk.ledger.history(MODEL)[-1]
    assert record.action == "artifact.pruned"
    assert {key: record.body[key] for key in ("version", "artifact_sha256", "files", "bytes", "keep")} == {
        "version": old,
        "artifact_sha256": digest,
        "files": 2,
        "bytes": size,
        "keep": 1,
    }
    after = desk.store.get_model_version(MODEL, old)
    assert (after.tags, after.source, after.current_stage) == (
        before.tags,
        before.source,
        before.current_stage,
    )
    assert desk.store.reconcile() == []
    assert desk.ledger.verify() == []
    count = len(desk.actions())
    ask(desk, old)
    assert len(desk.actions()) == count


def test_what_is_in_use_or_may_be_gone_back_to_is_never_pruned(keep_one, registered):
    desk = keep_one
    one, two, three, four = (registered(label, retire=False) for label in ("one", "two", "three", "four"))
    for version in (one, two, three):
        desk.promote(version)
    desk.attest(four)
    desk.move(four, "shadow")
    five = registered("five", retire=False)
    desk.attest(five)
    desk.move(five, "retired")
    assert "a rollback may go to it" in refused(desk, one)
    assert "last known good" in refused(desk, two)
    assert "not RETIRED" in refused(desk, three)
    assert "not RETIRED" in refused(desk, four)
    assert desk.store.roll_back(MODEL, reason="drill") == two
    ask(desk, three)  # rolled back from: it lost its standing
    assert desk.store.roll_back(MODEL, reason="drill") == one


def test_a_rollback_finds_a_pruned_version_unfit_and_nobody_brings_one_back(keep_one, registered):
    desk = keep_one
    first, second = registered("one", retire=False), registered("two", retire=False)
    desk.promote(first)
    desk.promote(second)
    shutil.rmtree(desk.address(first))
    assert desk.store.roll_back(MODEL, reason="drill") is None
    assert desk.ledger.history(MODEL)[-1].body["unfit"] == [
        {"version": first, "why": "its bytes cannot be read"}
    ]
    third = registered("three")
    registered("four")
    copy = desk.home / "copy"
    shutil.copytree(desk.address(third), copy)
    ask(desk, third)
    shutil.copytree(copy, desk.address(third))
    desk.attest(third)
    with pytest.raises(MlflowException) as error:
        desk.move(third, "shadow")
    assert "the stored model cannot be read" in str(error.value)


def test_the_newest_of_each_type_over_all_models(keep_one, registered):
    desk = keep_one
    versions = []
    for label, name, kind in (
        ("a", MODEL, ModelType.SIGNAL_MODEL),
        ("b", "embedder", ModelType.EMBED_MODEL),
        ("c", "other_signal", ModelType.SIGNAL_MODEL),
    ):
        version = registered(label, name=name, retire=False)
        artifact = desk.training(version, name=name, model_type=kind)
        subject = desk.reference(version, name=name)
        desk.tag(version, TRAINING_TAG, desk.sign("training", artifact, subject=subject), name=name)
        desk.move(version, "retired", name=name)
        versions.append(version)
    assert "of type embed_model" in refused(desk, versions[1], name="embedder")
    assert "of type signal_model" in refused(desk, versions[2], name="other_signal")
    ask(desk, versions[0])


def test_a_hold_keeps_bytes_until_it_is_released(keep_one, registered, registry):
    old = registered("old")
    registered("new")
    registry.hold(MODEL, old, reason="inquiry 14")
    with pytest.raises(ConfigInvalid, match="held since"):
        registry.hold(MODEL, old, reason="again")
    with pytest.raises(RolloutDenied, match="legal hold: inquiry 14"):
        registry.prune(MODEL, old)
    for delete in (
        lambda: keep_one.store.delete_model_version(MODEL, old),
        lambda: keep_one.store.delete_registered_model(MODEL),
    ):
        with pytest.raises(MlflowException, match="version 1 is on hold: inquiry 14"):
            delete()
    registry.release(MODEL, old, reason="closed")
    with pytest.raises(ConfigInvalid, match="not on hold"):
        registry.release(MODEL, old, reason="again")
    with pytest.raises(ConfigInvalid, match="no reason"):
        registry.hold(MODEL, old, reason=" ")
    assert registry.prune(MODEL, old).body["files"] == 2
    with pytest.raises(RolloutDenied, match="pruned at"):
        registry.hold(MODEL, old, reason="too late")
    held = [one for one in keep_one.ledger.history(MODEL) if one.action.startswith("hold.")]
    assert [(one.action, one.body["reason"]) for one in held] == [
        ("hold.placed", "inquiry 14"),
        ("hold.released", "closed"),
    ]
    with pytest.raises(ArtifactMissing):
        registry.hold(MODEL, "99", reason="nobody")


def test_what_is_not_ours_to_remove_stays(keep_one, registered):
    desk = keep_one
    elsewhere, changed = desk.register(), registered("changed")
    desk.move(elsewhere, "retired")
    shared = registered("shared")
    registered("shared", name="twin", retire=False)
    aliased = registered("aliased")
    desk.store.set_registered_model_alias(MODEL, "champion", aliased)
    remote = str(desk.store.create_model_version(MODEL, "s3://bucket/model").version)
    desk.move(remote, "retired")
    link = desk.settings.models_dir / "link"
    link.symlink_to(desk.write_model("pointed-to"), target_is_directory=True)
    linked = registered("link")
    registered("newest")
    (desk.address(changed) / "MLmodel").write_text("edited")
    assert "lies outside" in refused(desk, elsewhere)
    assert "lies outside" in refused(desk, linked)
    assert "registered is" in refused(desk, changed)
    assert "twin 1 has the same bytes" in refused(desk, shared)
    assert "the alias 'champion'" in refused(desk, aliased)
    assert "only local folders" in refused(desk, remote)
    assert desk.address(elsewhere).is_dir()
    assert desk.address(changed).is_dir()
    assert "artifact.pruned" not in desk.actions()


def test_a_crash_after_the_record_is_finished_by_the_next_prune(keep_one, registered, registry):
    old = registered("old")
    registered("new")
    folder = keep_one.address(old)
    with keep_one.store._change(
        MODEL
    ) as change:  # the first half alone, as if the process ended after its commit
        found = answer(
            change,
            old,
            request=PRUNE_REQUEST,
            reason="now",
            artifacts=keep_one.store._artifacts,
            settings=keep_one.store._settings,
        )
    assert found == (folder, None)
    (folder / "MLmodel").unlink()
    assert keep_one.actions()[-1] == "artifact.pruned"
    assert folder.exists()
    assert [one.version for one in registry.retired(keep=1) if one.goes] == [old]
    registry.prune(MODEL, old)
    assert not folder.exists()
    assert keep_one.actions().count("artifact.pruned") == 1
    assert [one.version for one in registry.retired(keep=1) if one.goes] == []
    with pytest.raises(StoreUnavailable, match="some bytes are left"):
        remove(folder)


def test_on_both_databases(any_desk):
    any_desk.store._settings = any_desk.settings.model_copy(update={"learn_retired_models_kept": 1})
    versions = []
    for label in ("old", "held", "new"):
        folder = any_desk.settings.models_dir / label
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(any_desk.write_model(label), folder)
        if label == "old":
            any_desk.store.create_registered_model(MODEL)
        versions.append(str(any_desk.store.create_model_version(MODEL, str(folder)).version))
        any_desk.move(versions[-1], "retired")
    ask(any_desk, versions[1], "hold", "inquiry")
    assert "legal hold" in refused(any_desk, versions[1])
    ask(any_desk, versions[0])
    assert [any_desk.address(version).exists() for version in versions] == [False, True, True]


def test_a_folder_that_is_no_model_stays(keep_one):
    desk = keep_one
    folder = desk.settings.models_dir / "notes"
    folder.mkdir(parents=True)
    (folder / "letter.txt").write_text("not a model")
    desk.store.create_registered_model(MODEL)
    version = str(desk.store.create_model_version(MODEL, str(folder)).version)
    desk.move(version, "retired")
    other = desk.register()
    desk.move(other, "retired")
    assert "holds no model" in refused(desk, version)
    assert (folder / "letter.txt").is_file()


def typed(desk, *words):
    done = CliRunner().invoke(main, ["--home", str(desk.home), "models", *words])
    return done.exit_code, done.output


def test_the_commands_as_typed(keep_one, registered, monkeypatch):
    desk = keep_one
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{desk.url}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", desk.url)
    (desk.home / "registry_db").mkdir()
    (desk.home / "registry_db" / "ordinis.db").symlink_to(desk.home / "ordinis.db")
    old, held = registered("old"), registered("held")
    stray = desk.register()
    desk.move(stray, "retired")
    registered("new")
    assert typed(desk) == (
        0,
        "no model was trained here, and none is in use; next: ordinis-learn train --help\n",
    )
    assert typed(desk, "list") == typed(desk)
    assert typed(desk, "hold", MODEL, held, "--reason", "inquiry")[0] == 0
    code, said = typed(desk, "prune", "--dry-run")
    assert code == 0
    assert f"{MODEL} v{old}  would go" in said
    assert f"{MODEL} v{held}  stays: legal hold: inquiry" in said
    code, said = typed(desk, "prune")
    assert code == 1
    assert f"{MODEL} v{old}  pruned: 2 files" in said
    assert "lies outside" in said
    assert not desk.address(old).exists()
    assert typed(desk, "release", MODEL, held, "--reason", "closed")[0] == 0
    assert typed(desk, "release", MODEL, held, "--reason", "closed")[0] == 1
