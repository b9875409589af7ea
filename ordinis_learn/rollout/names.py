"""How names are compared."""

from __future__ import annotations

import unicodedata

__all__ = ["fold_name"]


def fold_name(name: str) -> str:
    """Return the form in which names are compared: NFKC, no surrounding space, no case.

    Folding again after the case fold catches letters whose folded form is not in NFKC.

    Examples
    --------
    >>> fold_name("  Ａctive ")
    'active'
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
