import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.records import Role
from ordinis_learn.rollout.keys import KeyStore, public_pem, read_public_key

posix = pytest.mark.skipif(os.name == "nt", reason="file modes say nothing on Windows")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@posix
def test_a_key_is_for_its_owner_alone(tmp_path):
    KeyStore(tmp_path / "keys").create("alice")
    assert mode(tmp_path / "keys") == 0o700
    assert mode(tmp_path / "keys" / "alice.pem") == 0o600


def test_the_identity_is_the_public_side_of_the_key(tmp_path, make):
    store = KeyStore(tmp_path / "keys")
    key = store.create("alice")
    identity = store.identity("alice", roles=(Role.TRAINER, Role.TRAINER), clock=lambda: make.now)
    assert (identity.key_id, identity.public_key) == (key.key_id, key.public_key)
    assert (identity.roles, identity.trusted_since) == ((Role.TRAINER,), make.now)
    assert store.signer("alice").public_key.keyid == key.key_id
    assert store.exists("alice")
    assert not store.exists("bob")


def test_an_identity_without_a_role_is_refused(tmp_path, make):
    store = KeyStore(tmp_path / "keys")
    store.create("alice")
    with pytest.raises(ConfigInvalid, match="no role"):
        store.identity("alice", roles=(), clock=lambda: make.now)


def test_a_key_is_never_overwritten(tmp_path):
    store = KeyStore(tmp_path / "keys")
    store.create("alice")
    before = (tmp_path / "keys" / "alice.pem").read_bytes()
    with pytest.raises(ConfigInvalid, match="exists"):
        store.create("alice")
    assert (tmp_path / "keys" / "alice.pem").read_bytes() == before


@posix
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path, bits):
    store = KeyStore(tmp_path / "keys")
    store.create("alice")
    path = tmp_path / "keys" / "alice.pem"
    path.chmod(bits)
    with pytest.raises(ConfigInvalid, match=f"chmod 600 {path}"):
        store.signer("alice")


@posix
def test_a_folder_that_others_may_open_gets_no_key(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(ConfigInvalid, match=f"chmod 700 {folder}"):
        KeyStore(folder).create("alice")
    assert list(folder.iterdir()) == []


def test_a_missing_key_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigInvalid, match="ordinis-learn keys create alice"):
        KeyStore(tmp_path).signer("alice")


@pytest.mark.parametrize("name", ["../alice", "Alice", "", "a/b", ".hidden"])
def test_a_bad_name_touches_no_file(tmp_path, name):
    store = KeyStore(tmp_path / "keys")
    for call in (store.create, store.signer, store.exists):
        with pytest.raises(ConfigInvalid, match="name an identity"):
            call(name)
    assert list(tmp_path.iterdir()) == []


def _pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    "content",
    [
        lambda: b"",
        lambda: _pem(ec.generate_private_key(ec.SECP256R1())),
        lambda: _pem(ed25519.Ed25519PrivateKey.generate())[:60],
    ],
    ids=["empty", "another kind of key", "damaged"],
)
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "alice.pem"
    path.write_bytes(content())
    path.chmod(0o600)
    with pytest.raises(ConfigInvalid, match="holds no Ed25519 private key"):
        KeyStore(tmp_path).signer("alice")


def test_another_kind_of_key_is_refused(tmp_path):
    from securesystemslib.signer import CryptoSigner

    path = tmp_path / "alice.pem"
    path.write_bytes(CryptoSigner.generate_ecdsa().private_bytes)
    path.chmod(0o600)
    with pytest.raises(ConfigInvalid, match="holds no Ed25519 private key"):
        KeyStore(tmp_path).signer("alice")


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        KeyStore(tmp_path / "file" / "keys").create("alice")


def test_a_rotation_keeps_the_old_key_by_its_id(tmp_path):
    store = KeyStore(tmp_path / "keys")
    old = store.create("model-risk")
    new = store.rotate("model-risk")
    assert new.key_id != old.key_id
    assert store.public("model-risk") == new
    kept = tmp_path / "keys" / "retired" / f"{old.key_id}.pem"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["model-risk.pem", "retired"]


def test_a_rotation_that_died_half_way_is_repeated(tmp_path):
    store = KeyStore(tmp_path / "keys")
    store.create("model-risk")
    (tmp_path / "keys" / "model-risk.new").write_text("half a key")
    first = store.rotate("model-risk")
    assert store.rotate("model-risk").key_id != first.key_id


def test_a_public_key_travels_as_pem_and_a_private_one_does_not(tmp_path):
    store = KeyStore(tmp_path / "keys")
    made = store.create("model-risk")
    (tmp_path / "risk.pem").write_text(public_pem(made))
    assert read_public_key("model-risk", tmp_path / "risk.pem") == made
    with pytest.raises(ConfigInvalid, match="keys show"):
        read_public_key("model-risk", tmp_path / "keys" / "model-risk.pem")
    with pytest.raises(StoreUnavailable):
        read_public_key("model-risk", tmp_path / "absent.pem")
