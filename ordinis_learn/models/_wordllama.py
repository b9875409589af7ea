"""The static word embeddings that the package ``wordllama`` carries, as a text encoder. Loaded by name: an extra."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.models.encoders import EncoderSpec, Float2D, unit_rows
from ordinis_learn.records import file_sha256

__all__ = ["WordLlamaEncoder"]

_WEIGHTS: Final = "weights/l2_supercat_256.safetensors"
_DIMENSIONS: Final = 256


class WordLlamaEncoder:
    """The mean of a text's word vectors: 256 dimensions, one direction per text, no context.

    Parameters
    ----------
    model
        A loaded ``wordllama`` model.
    weights_sha256 : str
        Of the file that it was loaded from.
    """

    def __init__(self, model: Any, *, weights_sha256: str) -> None:
        self._model = model
        self._sha256 = weights_sha256

    @classmethod
    @functools.cache
    def open(cls) -> WordLlamaEncoder:
        """Load the vectors once a process; raise ConfigInvalid where the extra is not installed."""
        try:
            import wordllama  # noqa: PLC0415  an extra
        except ImportError as error:
            raise ConfigInvalid(
                "open the text encoder wordllama",
                found="the package wordllama is not installed",
                next_step="pip install 'ordinis-learn[llm]', or choose the encoder ngrams",
            ) from error
        folder = Path(wordllama.__file__).parent
        # Its own look-up misses the tokenizer that it ships and would download it: name the folder instead.
        model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        return cls(model, weights_sha256=file_sha256(folder / _WEIGHTS))

    @property
    def spec(self) -> EncoderSpec:
        """Return what opens it again, with the hash of its weights."""
        return EncoderSpec(kind="wordllama", dimensions=_DIMENSIONS, weights_sha256=self._sha256)

    def encode(self, texts: Sequence[str]) -> Float2D:
        """Return one row of length 1 per text, shape (n, 256); zeros for an empty text."""
        if not texts:
            return np.zeros((0, _DIMENSIONS))
        # Not normalised there: it divides by zero on an empty text.
        return unit_rows(np.asarray(self._model.embed(list(texts), norm=False), dtype=np.float64))
