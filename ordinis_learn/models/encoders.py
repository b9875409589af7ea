"""Frozen text encoders: what an embedding adapter stands on. None of them needs a network or a download."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.records import Record, Sha256

__all__ = ["Encoder", "EncoderSpec", "HashedNgrams", "open_encoder", "unit_rows"]

Float2D = npt.NDArray[np.float64]

_WORD: Final = re.compile(r"\w+")
_SHORTEST, _LONGEST = 3, 5


class EncoderSpec(Record):
    """Which encoder, so that it can be opened again.

    ``weights_sha256`` pins the bytes of an encoder whose weights come with a package; the n-grams have none.
    """

    kind: Literal["ngrams", "wordllama"] = "ngrams"
    dimensions: int = Field(2048, ge=8, le=65_536)
    weights_sha256: Sha256 | None = None


class Encoder(Protocol):
    """Texts to vectors. Pure: a text has one vector, alone or among others. Threads may share one."""

    @property
    def spec(self) -> EncoderSpec:
        """Return what opens it again."""
        ...

    def encode(self, texts: Sequence[str]) -> Float2D:
        """Return one row of length 1 per text, shape (n, dimensions); zeros for a text without a known word."""
        ...


class HashedNgrams:
    """A bag of words and of their character n-grams, hashed with a sign into a fixed number of places.

    It sees spelling and nothing of meaning: two words that share no letters are unrelated. Sources: signed hashing is
    that of Weinberger et al. (2009), *Feature hashing for large scale multitask learning*; words as the sum of their
    n-grams of 3 to 5 characters follow Bojanowski et al. (2017), *Enriching word vectors with subword information*.

    Parameters
    ----------
    dimensions : int

    Examples
    --------
    >>> one, near, far = HashedNgrams(dimensions=512).encode(["drawdown limit", "limits of drawdowns", "tea"])
    >>> bool(one @ near > 0.5 > abs(one @ far))
    True
    """

    def __init__(self, *, dimensions: int) -> None:
        self._dimensions = dimensions

    @property
    def spec(self) -> EncoderSpec:
        """Return what opens it again."""
        return EncoderSpec(kind="ngrams", dimensions=self._dimensions)

    def encode(self, texts: Sequence[str]) -> Float2D:
        """Return one row of length 1 per text, shape (n, dimensions); zeros for a text without a word."""
        rows = np.zeros((len(texts), self._dimensions))
        for row, text in zip(rows, texts, strict=True):
            words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
            for word in words:
                places, signs = _word_places(word, self._dimensions)
                np.add.at(row, places, signs)
        return unit_rows(rows)


def open_encoder(spec: EncoderSpec) -> Encoder:
    """Return the encoder that a specification names.

    Raises
    ------
    ConfigInvalid
        Its package is not installed.
    DataCorrupt
        The installed weights are not those that the specification pins.
    """
    if spec.kind == "ngrams":
        return HashedNgrams(dimensions=spec.dimensions)
    from ordinis_learn.models._wordllama import WordLlamaEncoder  # noqa: PLC0415  an extra

    encoder = WordLlamaEncoder.open()
    if spec.weights_sha256 is not None and encoder.spec != spec:
        raise DataCorrupt(
            "open the text encoder wordllama",
            found=f"weights {encoder.spec.weights_sha256} where {spec.weights_sha256} are asked for",
            next_step="install the release of wordllama that the model was trained with, or train again",
        )
    return encoder


def unit_rows(rows: Float2D) -> Float2D:
    """Scale each row to length 1; rows of zeros stay.

    Examples
    --------
    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    scaled: Float2D = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0.0)
    return scaled


@lru_cache(maxsize=200_000)
def _word_places(word: str, dimensions: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    marked = f"<{word}>"
    grams = {
        marked[start : start + size]
        for size in range(_SHORTEST, _LONGEST + 1)
        for start in range(len(marked) - size + 1)
    }
    digests = [
        int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "little")
        for gram in sorted({*grams, marked})
    ]
    places = np.array([digest % dimensions for digest in digests], dtype=np.int64)
    signs = np.array([1.0 if digest >> 63 else -1.0 for digest in digests])
    return places, signs
