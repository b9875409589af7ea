"""Ed25519 signing keys in a folder, one file with mode 0600 per identity.

The folder holds private keys and nothing else; public keys live in the identity book. A key is never
overwritten: statements signed with it must stay attributable.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.ports import Clock
from ordinis_learn.records import Identity, Role
from ordinis_learn.rollout.tags import GROUP, check_identity_name

__all__ = [
    "KeyStore",
    "PublicKey",
    "describe",
    "describe_signer",
    "public_pem",
    "read_private_key",
    "read_public_key",
]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """What may be told about a key: ``public_key`` is the 32 raw bytes in hex."""

    name: str
    key_id: str
    public_key: str


class KeyStore:
    """Private keys by identity name; retired ones by their id.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 when the first key is created. Two stores may share it; creating the same
        name twice fails in the second, also across processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        """Where the keys lie, for people."""
        return str(self._folder)

    def create(self, name: str) -> PublicKey:
        """Make a new key.

        Raises
        ------
        ConfigInvalid
            The name is not well-formed, is taken, or the folder is open to others.
        StoreUnavailable
            The folder or file cannot be written.
        """
        path = self._path(name)
        signer = CryptoSigner.generate_ed25519()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_open_to_others(self._folder, mode="700")
            _write_private(path, signer.private_bytes)
        except FileExistsError as error:
            raise ConfigInvalid(
                f"create a key for {name!r}",
                found=f"{path} exists, and statements signed with it must stay attributable",
                next_step=f"trust it where it is not trusted yet: ordinis-learn keys show {name} --pem > {name}.pem, then ordinis-learn keys "
                f"trust {name} --public-key {name}.pem --role …; or choose another name",
            ) from error
        except OSError as error:
            raise _unavailable(f"create a key for {name!r}", path, error) from error
        return describe_signer(name, signer)

    def rotate(self, name: str) -> PublicKey:
        """Replace a key by a new one; the old one is kept under ``retired/``, named by its id.

        Dying half-way leaves the old or the new key under the name, whole, and the old one in ``retired/``.

        Raises
        ------
        ConfigInvalid
            No such key, or a file that others may read.
        StoreUnavailable
            The folder or file cannot be written.
        """
        path, old = self._path(name), describe_signer(name, self.signer(name))
        kept = self._folder / "retired" / f"{old.key_id}.pem"
        signer, fresh = CryptoSigner.generate_ed25519(), path.with_suffix(".new")
        try:
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            if not kept.exists():
                _write_private(kept, path.read_bytes())
            fresh.unlink(missing_ok=True)
            _write_private(fresh, signer.private_bytes)
            fresh.replace(path)
        except OSError as error:
            raise _unavailable(f"rotate the key of {name!r}", path, error) from error
        return describe_signer(name, signer)

    def public(self, name: str) -> PublicKey:
        """Return the public half of a key on this machine."""
        return describe_signer(name, self.signer(name))

    def exists(self, name: str) -> bool:
        """Tell whether there is a key file for the name."""
        return self._path(name).is_file()

    def signer(self, name: str) -> CryptoSigner:
        """Load a key for signing.

        Raises
        ------
        ConfigInvalid
            No such key, not an Ed25519 key, or a file that others may read.
        StoreUnavailable
            The file cannot be read.
        """
        path = self._path(name)
        if not self.exists(name):
            raise ConfigInvalid(
                f"sign as {name!r}",
                found=f"no key file {path}",
                next_step=f"ordinis-learn keys create {name} --role …",
            )
        _refuse_open_to_others(path, mode="600")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise _unavailable(f"sign as {name!r}", path, error) from error
        return read_private_key(name, content, place=str(path))

    def identity(
        self, name: str, *, roles: Sequence[Role], clock: Clock, groups: Sequence[str] = ()
    ) -> Identity:
        """Return the public side of a key, to be trusted in ``roles`` and ``groups`` from now on."""
        return describe(describe_signer(name, self.signer(name)), roles=roles, groups=groups, clock=clock)

    def _path(self, name: str) -> Path:
        return self._folder / f"{check_identity_name(name)}.pem"


def describe(key: PublicKey, *, roles: Sequence[Role], clock: Clock, groups: Sequence[str] = ()) -> Identity:
    """Return a public key as an identity, to be trusted from now on.

    Raises
    ------
    ConfigInvalid
        No role, or a group whose name is not well-formed.
    """
    if not roles:
        raise ConfigInvalid(
            f"describe the identity {key.name!r}",
            found="no role",
            next_step=f"give at least one of {', '.join(Role)}",
        )
    if wrong := [group for group in groups if not re.fullmatch(GROUP, group, re.ASCII)]:
        raise ConfigInvalid(
            f"describe the identity {key.name!r}",
            found=f"groups {', '.join(map(repr, wrong))}",
            next_step="write a group in lower-case letters, digits and '_', as in head_of_desk",
        )
    return Identity(
        name=check_identity_name(key.name),
        key_id=key.key_id,
        public_key=key.public_key,
        roles=tuple(sorted(set(roles))),
        groups=tuple(sorted(set(groups))),
        trusted_since=clock(),
    )


def read_private_key(name: str, content: bytes, *, place: str) -> CryptoSigner:
    """Read an Ed25519 private key in PEM.

    Raises
    ------
    ConfigInvalid
        It is none; ``place`` says where it was found.
    """
    try:
        private_key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _not_a_key(name, place) from error
    if not isinstance(private_key, Ed25519PrivateKey):
        raise _not_a_key(name, place)
    return CryptoSigner(private_key)


def read_public_key(name: str, path: Path) -> PublicKey:
    """Read an Ed25519 public key in PEM, made elsewhere.

    Raises
    ------
    ConfigInvalid
        The file holds none; one with a private key is refused too, which should not travel.
    StoreUnavailable
        The file cannot be read.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise _unavailable(f"trust {name!r}", path, error) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _not_public(name, path) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _not_public(name, path)
    shown = SSlibKey.from_crypto(key)
    return PublicKey(name=name, key_id=shown.keyid, public_key=shown.keyval["public"])


def public_pem(key: PublicKey) -> str:
    """Return a public key as PEM text, which :func:`read_public_key` reads elsewhere."""
    raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_key))
    return raw.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def _not_public(name: str, path: Path) -> ConfigInvalid:
    return ConfigInvalid(
        f"trust {name!r}",
        found=f"{path} holds no Ed25519 public key in PEM",
        next_step=f"let its owner run ordinis-learn keys show {name} --pem, or openssl pkey -pubout",
    )


def describe_signer(name: str, signer: CryptoSigner) -> PublicKey:
    """Return what may be told about a private key."""
    key = signer.public_key
    return PublicKey(name=name, key_id=key.keyid, public_key=key.keyval["public"])


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _refuse_open_to_others(path: Path, *, mode: str) -> None:
    """Do nothing on Windows, whose file modes say nothing about who may read."""
    if os.name == "nt":
        return
    try:
        bits = path.stat().st_mode
    except OSError as error:
        raise _unavailable("read a private key", path, error) from error
    if bits & _OTHERS:
        raise ConfigInvalid(
            "use a private key",
            found=f"{path} has mode {stat.S_IMODE(bits):o}: others than its owner may open it",
            next_step=f"chmod {mode} {path}",
        )


def _not_a_key(name: str, place: str) -> ConfigInvalid:
    return ConfigInvalid(
        f"sign as {name!r}",
        found=f"{place} holds no Ed25519 private key in PEM",
        next_step=f"restore {place} from a backup, or revoke {name} and create another identity",
    )


def _unavailable(asked: str, path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        asked,
        found=f"{path}: {error.strerror or error}",
        next_step=f"make {path.parent} readable and writable for you",
    )
