"""Canonical bytes and hashes: RFC 8785 JSON, SHA-256 with a domain in front.

The domain keeps a hash made for one purpose from standing in for another (RFC 6962 does the same
with a prefix byte). A domain is a short ASCII name, ended by a zero byte that no JSON text contains.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

import rfc8785

__all__ = ["canonical_json", "file_sha256", "hash_of", "hash_of_bytes", "tree_sha256"]

_ENCODER: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
)
_LARGEST: Final = 2**53 - 1
_SHORT_FROM: Final = 1e-4
"""From here on Python writes a float without an exponent, as RFC 8785 does from 1e-6 on."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CHUNK_BYTES: Final = 1 << 20
_NOT_CONTENT: Final = frozenset({"registered_model_meta"})


def canonical_json(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON value.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    try:
        return _ENCODER.encode(_plain(value)).encode()
    except _NotPlain:
        return rfc8785.dumps(value)


class _NotPlain(Exception):
    """The standard library would not write a value as RFC 8785 asks."""


def _plain(value: Any) -> Any:
    """Return an equal value that the standard library writes as RFC 8785 asks: ten times as fast as our library.

    They differ in how they write whole, tiny and huge floats, in integers beyond 2^53, and in texts with lone
    surrogates and keys beyond ASCII, which are sorted by UTF-16. A whole float becomes an integer; the rest, and
    types that are no JSON, take the long way.
    """
    kind = type(value)
    if kind is str:
        if value.isascii() or not _SURROGATE.search(value):
            return value
    elif kind is dict:
        if all(type(key) is str and key.isascii() for key in value):
            return {key: _plain(one) for key, one in value.items()}
    elif kind is list or kind is tuple:
        return [_plain(one) for one in value]
    elif value is None or kind is bool or (kind is int and -_LARGEST <= value <= _LARGEST):
        return value
    elif kind is float:
        size = abs(value)
        if size <= _LARGEST and value == int(value):
            return int(value)
        if _SHORT_FROM <= size < _LARGEST:
            return value
    raise _NotPlain


def hash_of(value: Any, *, domain: str) -> str:
    """Return the hex SHA-256 of a JSON value's canonical bytes, in a domain.

    Examples
    --------
    >>> hash_of({"a": 1}, domain="config") == hash_of({"a": 1.0}, domain="config")
    True
    >>> hash_of({"a": 1}, domain="config") == hash_of({"a": 1}, domain="ledger")
    False
    """
    return hash_of_bytes(canonical_json(value), domain=domain)


def hash_of_bytes(canonical: bytes, *, domain: str) -> str:
    """Return the hex SHA-256 of canonical bytes, in a domain."""
    return hashlib.sha256(domain.encode("ascii") + b"\x00" + canonical).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, read in chunks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def tree_sha256(root: Path) -> str:
    """Return one hash for a folder: the hash of ``{relative path: file hash}``.

    MLflow writes a file named ``registered_model_meta`` into a local model folder when the model is
    loaded by its registry name; it is not content and is left out.
    """
    files = {
        path.relative_to(root).as_posix(): file_sha256(path)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in _NOT_CONTENT
    }
    return hash_of(files, domain="ordinis.tree.v1")
