import subprocess

import pytest

from ordinis_learn.records import file_sha256
from ordinis_learn.training.provenance import UNKNOWN_COMMIT, collect_provenance, environment_hash


def git(folder, *arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "model.py").write_text("edge = 1\n")
    (folder / ".gitignore").write_text("keys/\n.venv/\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_clean_checkout_names_its_commit(checkout):
    found = collect_provenance(checkout)
    assert found.code_commit == git(checkout, "rev-parse", "HEAD")
    assert (found.code_dirty, found.dirty_patch) == (False, "")


def test_a_changed_file_makes_a_patch_that_applies(checkout):
    (checkout / "model.py").write_text("edge = 2\n")
    found = collect_provenance(checkout)
    assert found.code_dirty
    git(checkout, "checkout", "--", "model.py")
    (checkout / "dirty.patch").write_text(found.dirty_patch)
    git(checkout, "apply", "dirty.patch")
    assert (checkout / "model.py").read_text() == "edge = 2\n"


def test_untracked_code_is_named_by_its_hash_and_keys_are_not_read(checkout):
    (checkout / "extra.py").write_text("edge = 3\n")
    (checkout / "secret.pem").write_text("PRIVATE")
    (checkout / "keys").mkdir()
    (checkout / "keys" / "ignored.py").write_text("PRIVATE")
    found = collect_provenance(checkout)
    digest = file_sha256(checkout / "extra.py")
    assert (found.code_dirty, found.dirty_patch) == (True, f"# untracked extra.py sha256 {digest}\n")


def test_outside_a_checkout_the_commit_is_unknown_and_dirty(tmp_path):
    found = collect_provenance(tmp_path)
    assert (found.code_commit, found.code_dirty, found.dirty_patch) == (UNKNOWN_COMMIT, True, "")


def test_a_package_that_the_checkout_does_not_track_is_not_described_by_it(checkout):
    installed = checkout / ".venv" / "ordinis_learn"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert collect_provenance(installed).code_commit == UNKNOWN_COMMIT


def test_the_environment_hash_repeats():
    assert environment_hash() == environment_hash()
    assert len(environment_hash()) == 64
