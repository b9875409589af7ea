"""Ed25519 signing keys in a folder, one file with mode 0600 per identity.

The folder holds private keys and nothing else; public keys live in the identity book. A key is never
overwritten: statements signed with it must stay attributable.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.ports import Clock
from ordinis_learn.records import Identity, Role
from ordinis_learn.rollout.tags import check_identity_name

__all__ = ["KeyStore", "PublicKey"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """What may be told about a key: ``public_key`` is the 32 raw bytes in hex."""

    name: str
    key_id: str
    public_key: str


class KeyStore:
    """Private keys by identity name.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 when the first key is created. Two stores may share it; creating the same
        name twice fails in the second, also across processes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

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
                next_step="choose another name, or revoke the identity and move the file away first",
            ) from error
        except OSError as error:
            raise _unavailable(f"create a key for {name!r}", path, error) from error
        return _public(name, signer)

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
            private_key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise _unavailable(f"sign as {name!r}", path, error) from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise _not_a_key(name, path) from error
        if not isinstance(private_key, Ed25519PrivateKey):
            raise _not_a_key(name, path)
        return CryptoSigner(private_key)

    def identity(self, name: str, *, roles: Sequence[Role], clock: Clock) -> Identity:
        """Return the public side of a key, to be trusted in ``roles`` from now on."""
        if not roles:
            raise ConfigInvalid(
                f"describe the identity {name!r}",
                found="no role",
                next_step=f"give at least one of {', '.join(Role)}",
            )
        key = _public(name, self.signer(name))
        return Identity(
            name=name,
            key_id=key.key_id,
            public_key=key.public_key,
            roles=tuple(sorted(set(roles))),
            trusted_since=clock(),
        )

    def _path(self, name: str) -> Path:
        return self._folder / f"{check_identity_name(name)}.pem"


def _public(name: str, signer: CryptoSigner) -> PublicKey:
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


def _not_a_key(name: str, path: Path) -> ConfigInvalid:
    return ConfigInvalid(
        f"sign as {name!r}",
        found=f"{path} holds no Ed25519 private key in PEM",
        next_step=f"restore {path} from a backup, or revoke {name} and create another identity",
    )


def _unavailable(asked: str, path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        asked,
        found=f"{path}: {error.strerror or error}",
        next_step=f"make {path.parent} readable and writable for you",
    )
