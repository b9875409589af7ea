"""The model artifact: the specification's fields first, then what an auditor asks for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from ordinis_learn.records.base import NullableFloat, Record, Sha256

__all__ = ["DECLARED", "ModelArtifact", "ModelType"]

DECLARED = "declared"
"""``data_snapshot_ref`` of a model whose parameters were declared, not trained."""


class ModelType(StrEnum):
    """What kinds of artifact can be registered."""

    SIGNAL_MODEL = "signal_model"
    EMBED_MODEL = "embed_model"
    PROMPT_PACK = "prompt_pack"


class ModelArtifact(Record):
    """A trained (or declared) model as it is registered.

    ``version`` is the registry's version of ``name``; ``artifact_sha256`` covers every file under
    ``path_ref``; ``trials`` counts all models fitted on the way, pruned and failed ones too.
    ``search_pbo`` is the probability of overfitting of the search itself (combinatorially symmetric cross-validation
    over its completed trials, in [0, 1]). ``reproducible`` is False where the same training gives other bytes. Both are
    left out of the JSON where they say nothing, so that artifacts signed before them keep their bytes.
    """

    artifact_id: str
    model_type: ModelType
    version: str
    path_ref: str
    metrics: dict[str, NullableFloat]
    created_at: str
    data_snapshot_ref: str

    name: str
    code_commit: str
    code_dirty: bool
    config_hash: Sha256
    env_hash: Sha256
    artifact_sha256: Sha256
    seed: int
    trials: int = Field(1, ge=1)
    trial_sharpe_variance: float | None = None
    search_pbo: Annotated[float | None, Field(ge=0.0, le=1.0, exclude_if=lambda value: value is None)] = None
    reproducible: Annotated[bool, Field(exclude_if=lambda value: value)] = True
    data_sha256: Sha256 | None = None
    trained_from: str | None = None
    trained_until: str | None = None
    run_id: str | None = None
    trainer: str = ""
