"""Text to vector: a frozen encoder, and a small residual adapter that was trained on it; asked without torch.

The adapter is ``x + activation(x · downᵀ) · upᵀ`` with ``rank`` rows in ``down``, and the answer has length 1, so that a
product of two answers is their cosine. An adapter of rank 0 is the encoder itself: that is what a first version can
be, and what every later one is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models.bundle_files import check_files
from ordinis_learn.models.encoders import Encoder, EncoderSpec, Float2D, open_encoder, unit_rows
from ordinis_learn.models.header import read_header_as, write_bundle
from ordinis_learn.records import Record, Sha256, hash_of

__all__ = ["EMBED_FORMAT", "Activation", "Adapter", "EmbedModel", "load_embedder", "query_mark"]

EMBED_FORMAT: Final = "ordinis.embed_model/1"
WEIGHTS_FILE: Final = "adapter.safetensors"
SEEN_FILE: Final = "seen.json"
Activation = Literal["linear", "relu"]

_MARK_DIGITS: Final = 16
_BLOCK_ROWS: Final = 1024


class EmbedHeader(Record):
    """What ``model.json`` of an embedding model holds; ``documents_sha256`` is of the texts that it was trained on."""

    format: Literal["ordinis.embed_model/1"] = EMBED_FORMAT
    kind: Literal["residual"] = "residual"
    encoder: EncoderSpec
    activation: Activation
    rank: int = Field(ge=0, le=4096)
    documents_sha256: Sha256 | None = None
    files: dict[str, Sha256] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapter:
    """The trained part.

    Attributes
    ----------
    down, up : float32 arrays, shapes (rank, d) and (d, rank)
    activation : {"linear", "relu"}
    """

    down: npt.NDArray[np.float32]
    up: npt.NDArray[np.float32]
    activation: Activation

    @classmethod
    def nothing(cls, dimensions: int) -> Adapter:
        """Return the adapter of rank 0, which changes no vector."""
        return cls(
            down=np.zeros((0, dimensions), dtype=np.float32),
            up=np.zeros((dimensions, 0), dtype=np.float32),
            activation="linear",
        )

    def apply(self, rows: Float2D) -> Float2D:
        """Return adapted rows of length 1; rows of zeros stay, and with rank 0 every row does.

        Computed a row at a time in one order of adding, so that a text has the same vector alone as in a batch.
        """
        if not len(self.down):
            return rows
        down, up = self.down.astype(np.float64), self.up.astype(np.float64)
        adapted = np.empty_like(rows)
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            inner = np.stack([down @ row for row in block])
            if self.activation == "relu":
                inner = np.maximum(inner, 0.0)
            adapted[start : start + _BLOCK_ROWS] = block + np.stack([up @ row for row in inner])
        return unit_rows(adapted)


class EmbedModel:
    """An encoder with its adapter.

    Parameters
    ----------
    encoder : Encoder
    adapter : Adapter
    documents_sha256 : str, optional
        Of the document texts behind the training.
    seen : iterable of str
        :func:`query_mark` of every query that it was trained or chosen on; it is not to be judged on those.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        adapter: Adapter,
        documents_sha256: str | None = None,
        seen: Iterable[str] = (),
    ) -> None:
        self._encoder = encoder
        self._adapter = adapter
        self._documents_sha256 = documents_sha256
        self.seen = frozenset(seen)

    @property
    def encoder(self) -> Encoder:
        """Return the frozen part: what the adapter must be better than."""
        return self._encoder

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return self._encoder.spec.dimensions

    def encode(self, texts: Sequence[str]) -> Float2D:
        """Return one row of length 1 per text, shape (n, dimensions); zeros for a text without a known word."""
        return self._adapter.apply(self._encoder.encode(texts))

    def save(self, folder: Path) -> None:
        """Write ``model.json``, ``seen.json`` and, where something was trained, ``adapter.safetensors``."""
        adapter = self._adapter
        header = EmbedHeader(
            encoder=self._encoder.spec,
            activation=adapter.activation,
            rank=len(adapter.down),
            documents_sha256=self._documents_sha256,
        )
        files = {SEEN_FILE: (json.dumps(sorted(self.seen), indent=0) + "\n").encode()}
        if header.rank:
            files[WEIGHTS_FILE] = save({"down": adapter.down, "up": adapter.up})
        write_bundle(folder, header, files=files)


def load_embedder(folder: Path) -> EmbedModel:
    """Return the embedding model that a bundle folder holds.

    Raises
    ------
    ArtifactMissing
        The folder, its header or one of its files is not there.
    DataCorrupt
        The format is unknown, a file does not belong, the content does not fit, or the encoder's weights differ.
    ConfigInvalid
        The encoder's package is not installed.
    """
    asked = f"load the embedding model in {folder}"
    header = read_header_as(EmbedHeader, folder, asked=asked, reads=EMBED_FORMAT)
    expected = frozenset({SEEN_FILE, WEIGHTS_FILE} if header.rank else {SEEN_FILE})
    check_files(folder, asked=asked, header=header, expected=expected)
    try:
        seen = json.loads((folder / SEEN_FILE).read_bytes())
        weights = load((folder / WEIGHTS_FILE).read_bytes()) if header.rank else {}
    except (SafetensorError, ValueError) as error:
        raise _corrupt(asked, folder, found=str(error).splitlines()[0]) from error
    if not isinstance(seen, list) or not all(isinstance(mark, str) for mark in seen):
        raise _corrupt(asked, folder, found=f"{SEEN_FILE} is no list of texts")
    if header.rank and (found := _misfit(weights, header=header)):
        raise _corrupt(asked, folder, found=found)
    adapter = (
        Adapter(down=weights["down"], up=weights["up"], activation=header.activation)
        if header.rank
        else Adapter.nothing(header.encoder.dimensions)
    )
    encoder = open_encoder(header.encoder)
    return EmbedModel(encoder, adapter=adapter, documents_sha256=header.documents_sha256, seen=seen)


def query_mark(query: str) -> str:
    """Return what stands for a query without telling it: 16 hex digits over its words, case and spaces aside.

    Examples
    --------
    >>> query_mark("Which  limit?") == query_mark("which limit?") != query_mark("which limits?")
    True
    """
    return hash_of(" ".join(query.casefold().split()), domain="ordinis.query")[:_MARK_DIGITS]


def _misfit(weights: dict[str, npt.NDArray[np.float32]], *, header: EmbedHeader) -> str:
    """Return how the weights differ from what the header declares, empty where they do not."""
    rank, width = header.rank, header.encoder.dimensions
    found = {name: array.shape for name, array in weights.items()}
    if found != {"down": (rank, width), "up": (width, rank)}:
        return f"weights of shapes {found}, the header declares rank {rank} over {width} dimensions"
    if any(array.dtype != np.float32 or not np.isfinite(array).all() for array in weights.values()):
        return "a weight that is not a finite float32"
    return ""


def _corrupt(asked: str, folder: Path, *, found: str) -> DataCorrupt:
    return DataCorrupt(
        asked,
        found=found,
        next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
        folder=str(folder),
    )
