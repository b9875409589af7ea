"""Letters that look like ours: an alias that only resembles ``active`` deceives whoever reads the page.

The table holds the common ones for the letters our own names are made of, from the Unicode data file
``confusables.txt`` (UTS #39): Cyrillic, Greek, Armenian and small capitals. It is a help against deceit, not a
guard: nothing is loaded through a name that merely resembles ours.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from ordinis_learn.rollout.names import fold_name

__all__ = ["skeleton"]

_LETTERS: Final = str.maketrans(
    {
        **dict.fromkeys("аαɑᴀ", "a"),
        **dict.fromkeys("сϲᴄ", "c"),
        **dict.fromkeys("ԁɗᴅ", "d"),
        **dict.fromkeys("еεҽᴇ", "e"),
        **dict.fromkeys("ɡցɢ", "g"),
        **dict.fromkeys("һнηհʜ", "h"),
        **dict.fromkeys("іıιɩɪ", "i"),
        **dict.fromkeys("кκᴋ", "k"),
        **dict.fromkeys("ӏʟ", "l"),
        **dict.fromkeys("ոɴ", "n"),
        **dict.fromkeys("оοօᴏσ", "o"),
        **dict.fromkeys("гʀ", "r"),
        **dict.fromkeys("ѕꜱ", "s"),
        **dict.fromkeys("тτᴛ", "t"),
        **dict.fromkeys("ѵνᴠ", "v"),
        **dict.fromkeys("ԝѡωᴡ", "w"),
    }
)


def skeleton(name: str) -> str:
    """Return a name as it looks: folded, without accents and invisible characters, in ASCII where it can be.

    Examples
    --------
    >>> skeleton("аctive"), skeleton("ACTİVE"), skeleton("actıve")
    ('active', 'active', 'active')
    """
    parts = unicodedata.normalize("NFD", fold_name(name))
    seen = "".join(letter for letter in parts if unicodedata.category(letter) not in {"Mn", "Cf"})
    return fold_name(seen.translate(_LETTERS))
