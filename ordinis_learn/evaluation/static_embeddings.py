"""Similarity of texts by static word embeddings: offline, without a network, a millisecond a pair.

The vectors are those that the package ``wordllama`` carries (256 dimensions, extra ``llm``).
"""

from __future__ import annotations

import functools
from pathlib import Path

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation.refusal import Similarity

__all__ = ["load_similarity"]


@functools.cache
def load_similarity() -> Similarity:
    """Load the embeddings once a process.

    Raises
    ------
    ConfigInvalid
        The extra is not installed.
    """
    try:
        import wordllama  # noqa: PLC0415  an extra
    except ImportError as error:
        raise ConfigInvalid(
            "compare texts by their meaning",
            found="the package wordllama is not installed",
            next_step="pip install 'ordinis-learn[llm]'",
        ) from error
    # Its own look-up misses the tokenizer that it ships and would download it: name the folder instead.
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    def similarity(one: str, other: str) -> float:
        return float(model.similarity(one, other))

    return similarity
