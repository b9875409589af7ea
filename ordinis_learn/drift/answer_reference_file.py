"""Keep the reference of a language model's answers in a file: counts and vectors, no texts, no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ordinis_learn.answers import AnswerSource
from ordinis_learn.drift.answer_days import AnswerDays, AnswerVectors
from ordinis_learn.drift.answer_reference import AnswerReference
from ordinis_learn.drift.whole_file import read_header, read_whole, write_whole
from ordinis_learn.errors import DataCorrupt
from ordinis_learn.models import EncoderSpec

__all__ = ["load_answer_reference", "save_answer_reference"]

_FORMAT: Final = "ordinis.answer_reference/1"


def save_answer_reference(reference: AnswerReference, path: Path) -> None:
    """Write the file whole.

    Raises
    ------
    StoreUnavailable
        It cannot be written.
    """
    header = {
        "format": _FORMAT,
        "model": reference.source.model,
        "prompt_pack": reference.source.prompt_pack,
        "encoder": reference.encoder.to_json(),
        "slow_ms": reference.slow_ms,
        "answers": reference.counted.answers,
    }
    arrays = {
        "days": reference.counted.days.astype(np.int64),
        "counts": reference.counted.counts,
        "vectors": reference.vectors.vectors,
        "day": reference.vectors.day,
        "document": reference.vectors.document,
    }
    content = save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        metadata={"header": json.dumps(header, sort_keys=True)},
    )
    write_whole(path, content, asked=f"keep the reference {path}")


def load_answer_reference(path: Path) -> AnswerReference | None:
    """Read a reference; None where there is no such file.

    Raises
    ------
    DataCorrupt
        It is not such a file, or of another format.
    """
    content = read_whole(path, asked=f"read the reference {path}")
    if content is None:
        return None
    try:
        return _reference(load(content), read_header(content, wanted=_FORMAT))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DataCorrupt(
            f"read the reference {path}",
            found=f"{type(error).__name__}: {error}",
            next_step=f"remove {path}: the next check makes it again from the recorded answers",
        ) from error


def _reference(arrays: dict[str, Any], header: dict[str, Any]) -> AnswerReference:
    return AnswerReference(
        source=AnswerSource(header["model"], header["prompt_pack"]),
        encoder=EncoderSpec.model_validate(header["encoder"]),
        slow_ms=float(header["slow_ms"]),
        counted=AnswerDays(
            days=arrays["days"].astype("datetime64[D]"), counts=arrays["counts"], answers=header["answers"]
        ),
        vectors=AnswerVectors(vectors=arrays["vectors"], day=arrays["day"], document=arrays["document"]),
    )
