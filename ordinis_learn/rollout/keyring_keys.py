"""Ed25519 signing keys in the operating system's keyring, and which of the two stores a home uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from securesystemslib.signer import CryptoSigner

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.rollout.keys import KeyStore, PublicKey, describe_signer, read_private_key
from ordinis_learn.rollout.tags import check_identity_name
from ordinis_learn.settings import Settings

__all__ = ["KeyringKeyStore", "open_key_store"]


def open_key_store(settings: Settings) -> KeyStore:
    """Return the store that ``ORDINIS_KEY_STORE`` names."""
    if settings.key_store == "keyring":
        return KeyringKeyStore(f"ordinis-learn {settings.home.resolve()}")
    return KeyStore(settings.keys_dir)


class KeyringKeyStore(KeyStore):
    """Private keys in the keyring that the ``keyring`` library finds; retired ones stay there too.

    A keyring knows no way to write only what is not there yet: of two processes that create one name at once, the
    second may win. Both read back what they wrote, so the first is told.

    Parameters
    ----------
    service : str
        The name under which the keys are filed, one per home.
    """

    def __init__(self, service: str) -> None:
        self._service = service

    @property
    def place(self) -> str:
        """Where the keys lie, for people."""
        return f"the keyring, under {self._service!r}"

    def create(self, name: str) -> PublicKey:
        """Make a new key.

        Raises
        ------
        ConfigInvalid
            The name is not well-formed or is taken, or the library is not installed.
        StoreUnavailable
            The keyring cannot be reached.
        """
        if self.exists(name):
            raise ConfigInvalid(
                f"create a key for {name!r}",
                found=f"{self.place} has one, and statements signed with it must stay attributable",
                next_step=f"trust it where it is not trusted yet: ordinis-learn keys show {name} --pem > {name}.pem, then ordinis-learn keys "
                f"trust {name} --public-key {name}.pem --role …; or choose another name",
            )
        return self._put(name, CryptoSigner.generate_ed25519())

    def rotate(self, name: str) -> PublicKey:
        """Replace a key by a new one; the old one is kept beside it, named by its id.

        Raises
        ------
        ConfigInvalid
            No such key.
        StoreUnavailable
            The keyring cannot be reached.
        """
        old = self.signer(name)
        self._write(f"{name}/retired/{old.public_key.keyid}", old.private_bytes.decode("ascii"))
        return self._put(name, CryptoSigner.generate_ed25519())

    def exists(self, name: str) -> bool:
        """Tell whether the keyring has a key for the name."""
        return self._read(check_identity_name(name)) is not None

    def signer(self, name: str) -> CryptoSigner:
        """Load a key for signing.

        Raises
        ------
        ConfigInvalid
            No such key, or not an Ed25519 key.
        StoreUnavailable
            The keyring cannot be reached.
        """
        text = self._read(check_identity_name(name))
        if text is None:
            raise ConfigInvalid(
                f"sign as {name!r}",
                found=f"no key of this name in {self.place}",
                next_step=f"ordinis-learn keys create {name} --role …",
            )
        return read_private_key(name, text.encode(), place=self.place)

    def look(self) -> str:
        """Return the name of the keyring that answers.

        Raises
        ------
        StoreUnavailable
            None does.
        """
        self._read("ordinis-learn-doctor")
        return str(_library().get_keyring().name)

    def _put(self, name: str, signer: CryptoSigner) -> PublicKey:
        self._write(check_identity_name(name), signer.private_bytes.decode("ascii"))
        return describe_signer(name, signer)

    def _read(self, entry: str) -> str | None:
        with self._reached():
            found: str | None = _library().get_password(self._service, entry)
        return found

    def _write(self, entry: str, text: str) -> None:
        with self._reached():
            _library().set_password(self._service, entry, text)
        if self._read(entry) != text:  # a null keyring takes everything and keeps nothing
            raise StoreUnavailable(
                f"keep a key in {self.place}",
                found="what was written cannot be read back",
                next_step="keyring --list-backends shows which there are; or ORDINIS_KEY_STORE=file",
            )

    @contextmanager
    def _reached(self) -> Iterator[None]:
        errors = _library().errors
        try:
            yield
        except (errors.KeyringError, OSError) as error:
            raise StoreUnavailable(
                f"use {self.place}",
                found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}",
                next_step="unlock it, or install a backend (keyring --list-backends); or ORDINIS_KEY_STORE=file",
            ) from error


def _library() -> Any:
    try:
        import keyring  # noqa: PLC0415  an extra
        import keyring.errors  # noqa: PLC0415
    except ImportError as error:
        raise ConfigInvalid(
            "use the keyring for signing keys",
            found="the library is not installed",
            next_step="pip install 'ordinis-learn[keyring]', or ORDINIS_KEY_STORE=file",
        ) from error
    return keyring
