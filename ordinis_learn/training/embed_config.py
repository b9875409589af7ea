"""What the training of an embedding model is asked to do; its content hash is the run's ``config_hash``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ordinis_learn.models.embed_model import Activation
from ordinis_learn.records import Record, Sha256

__all__ = ["EmbedConfig"]


class EmbedConfig(Record):
    """One training of a residual adapter over a frozen encoder.

    Attributes
    ----------
    name : str
        The registered model.
    dataset : str or None
        ``dataset_id@version`` of kind ``rag_eval``, or a bare id for its newest version. None with ``epochs`` 0.
    documents : str or None
        JSON lines of ``{doc_id, locator, text}``: a dataset of answers names documents and does not hold them.
    documents_sha256 : str or None
        Of that file. Where it is given another content is refused; the run records what was read.
    encoder : {"ngrams", "wordllama"}
        Hashed character n-grams, or the static word vectors of the extra ``llm``. Both are frozen.
    dimensions : int
        Of the n-grams; ``wordllama`` has 256.
    rank : int
        Width of the adapter.
    activation : {"linear", "relu"}
        Between its two matrices.
    temperature : float
        Of the softmax over the documents of a batch.
    epochs, patience : int
        At most so many passes; it stops when the held-out loss has not fallen for ``patience`` of them, and the final
        fit on all pairs runs as many as were best. 0 epochs register the encoder itself and need no torch.
    validation_share : float
        Of the pairs. Queries and documents that hang together are held out together. 0 fits exactly ``epochs``.
    min_grade : float
        Answers that were graded below it teach nothing; ungraded ones count.
    threads : int
        Of the fit; the bytes depend on it.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    model_type: Literal["embed_model"] = "embed_model"
    name: str = Field(pattern=r"^([a-z0-9][a-z0-9-]{0,61}[a-z0-9]/)?[A-Za-z][A-Za-z0-9_-]{0,62}$")
    dataset: str | None = None
    documents: str | None = None
    documents_sha256: Sha256 | None = None
    encoder: Literal["ngrams", "wordllama"] = "ngrams"
    dimensions: int = Field(2048, ge=8, le=65_536)
    rank: int = Field(64, ge=1, le=4096)
    activation: Activation = "linear"
    temperature: float = Field(0.05, gt=0.0, le=10.0)
    learning_rate: float = Field(3e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(1e-2, ge=0.0)
    batch_pairs: int = Field(128, ge=2, le=16_384)
    epochs: int = Field(40, ge=0, le=10_000)
    patience: int = Field(4, ge=1)
    validation_share: float = Field(0.2, ge=0.0, le=0.5)
    min_grade: float = Field(0.5, ge=0.0, le=1.0)
    seed: int = Field(7, ge=0, le=2**31 - 1)
    threads: int = Field(1, ge=1)
    device: Literal["cpu", "cuda"] = "cpu"

    @model_validator(mode="after")
    def _fits_together(self) -> EmbedConfig:
        if self.epochs and (self.dataset is None or self.documents is None):
            raise ValueError(
                "training needs a dataset and its documents; epochs=0 registers the encoder itself"
            )
        if not self.epochs and (self.dataset is not None or self.documents is not None):
            raise ValueError("with epochs=0 nothing is trained: give it neither a dataset nor documents")
        return self

    def run_params(self) -> dict[str, Any]:
        """Return the configuration flat, as a tracker shows it."""
        return {
            key: value
            for key, value in self.to_json().items()
            if key != "schema_version" and value is not None
        }
