"""The Merkle tree hash of RFC 6962, section 2.1: one hash for a list of leaves.

Leaves and inner nodes are hashed with different first bytes, so that neither can pass for the other.
Source: https://www.rfc-editor.org/rfc/rfc6962#section-2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

__all__ = ["merkle_root"]


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Return the hex root over the leaves, in their order.

    Examples
    --------
    >>> merkle_root([])  # the hash of nothing
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    >>> merkle_root([b""])  # a leaf without content is something
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
    """
    return _root(leaves).hex()


def _root(leaves: Sequence[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1  # the largest power of two below the length
    return hashlib.sha256(b"\x01" + _root(leaves[:split]) + _root(leaves[split:])).digest()
