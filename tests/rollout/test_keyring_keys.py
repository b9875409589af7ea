"""Signing keys in a keyring: a real backend of keyrings.alt, which needs no desktop."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.records import Role
from ordinis_learn.rollout.keyring_keys import KeyringKeyStore, open_key_store
from ordinis_learn.rollout.keys import KeyStore
from ordinis_learn.settings import load_settings

keyring = pytest.importorskip("keyring", reason="pip install 'ordinis-learn[keyring]'")
backends = pytest.importorskip("keyrings.alt.file", reason="pip install keyrings.alt")


@pytest.fixture(autouse=True)
def in_use(tmp_path):
    """Let the library use a file of this test."""
    before = keyring.get_keyring()
    backend = backends.PlaintextKeyring()
    backend.file_path = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture(params=["file", "keyring"])
def store(request, tmp_path):
    settings = load_settings(home=tmp_path, key_store=request.param)
    return open_key_store(settings)


def test_both_stores_do_alike(store, make):
    key = store.create("model-risk")
    assert store.exists("model-risk")
    assert not store.exists("nobody")
    assert store.public("model-risk") == key
    identity = store.identity("model-risk", roles=(Role.APPROVER,), clock=lambda: make.now)
    assert identity.public_key == key.public_key
    with pytest.raises(ConfigInvalid, match="must stay attributable"):
        store.create("model-risk")
    assert store.public("model-risk") == key
    rotated = store.rotate("model-risk")
    assert rotated.key_id != key.key_id
    assert store.signer("model-risk").public_key.keyid == rotated.key_id
    with pytest.raises(ConfigInvalid, match="keys create nobody"):
        store.signer("nobody")
    with pytest.raises(ConfigInvalid, match="name an identity"):
        store.create("../model-risk")


def test_the_setting_says_which(tmp_path, in_use):
    assert type(open_key_store(load_settings(home=tmp_path))) is KeyStore
    store = open_key_store(load_settings(home=tmp_path, key_store="keyring"))
    assert isinstance(store, KeyringKeyStore)
    store.create("model-risk")
    assert not (tmp_path / "keys").exists()
    elsewhere = open_key_store(load_settings(home=tmp_path / "other", key_store="keyring"))
    assert not elsewhere.exists("model-risk")  # one name per home
    assert store.look() == in_use.name


def test_the_retired_key_stays_in_the_keyring():
    store = KeyringKeyStore("desk")
    old = store.create("model-risk")
    store.rotate("model-risk")
    kept = keyring.get_password("desk", f"model-risk/retired/{old.key_id}")
    signing = serialization.load_pem_private_key(kept.encode(), password=None)
    assert signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex() == old.public_key


def test_a_keyring_with_something_else_under_the_name_is_said():
    keyring.set_password("desk", "model-risk", "not a key")
    with pytest.raises(ConfigInvalid, match="no Ed25519 private key"):
        KeyringKeyStore("desk").signer("model-risk")


@pytest.mark.parametrize(
    ("backend", "found"),
    [
        ("keyring.backends.fail.Keyring", "NoKeyringError"),
        ("keyring.backends.null.Keyring", "cannot be read back"),
    ],
)
def test_a_keyring_that_cannot_be_used_is_said(backend, found):
    keyring.set_keyring(keyring.core.load_keyring(backend))
    with pytest.raises(StoreUnavailable, match=found) as caught:
        KeyringKeyStore("desk").create("model-risk")
    assert "ORDINIS_KEY_STORE=file" in caught.value.next_step


def run(home, *arguments):
    return CliRunner().invoke(main, ["--home", str(home), *arguments])


def test_the_commands_and_doctor_use_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ORDINIS_KEY_STORE", "keyring")
    made = run(tmp_path, "keys", "create", "model-risk", "--role", "approver")
    assert made.exit_code == 0, made.output
    assert "its key lies in the keyring" in made.output
    assert "BEGIN PUBLIC KEY" in run(tmp_path, "keys", "show", "model-risk", "--pem").output
    assert run(tmp_path, "keys", "rotate", "model-risk").exit_code == 0
    assert run(tmp_path, "keys", "show", "model-risk").output.count("approver") == 2
    assert not (tmp_path / "keys").exists()
    assert "signing keys" in run(tmp_path, "doctor").output
    healthy = run(tmp_path, "doctor")
    assert healthy.exit_code == 0, healthy.output
    keyring.set_keyring(keyring.core.load_keyring("keyring.backends.fail.Keyring"))
    ill = run(tmp_path, "doctor")
    assert ill.exit_code == 1
    assert "NoKeyringError" in ill.output
    assert "ORDINIS_KEY_STORE=file" in ill.output
