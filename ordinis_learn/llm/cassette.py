"""Recorded answers of a language model, one file a request, addressed by the request's hash.

``<folder>/<first two digits>/<request_hash>.json`` holds the request and the answer, never headers, addresses or keys.
A recording is made once and not overwritten. In mode ``replay`` nothing is sent.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from ordinis_learn.errors import CassetteMissing, DataCorrupt, StoreUnavailable
from ordinis_learn.llm.port import ChatAnswer, ChatModel, ChatRequest
from ordinis_learn.records import Record

__all__ = ["CASSETTE_MODES", "Cassette"]

CASSETTE_MODES: Final = ("auto", "replay")


class _Recording(Record):
    request: ChatRequest
    answer: ChatAnswer


class Cassette:
    """A model whose answers are recorded. Threads may share it; so may processes that share the folder.

    Parameters
    ----------
    model : ChatModel, optional
        Asked in mode ``auto`` for what was not recorded; mode ``replay`` needs none.
    folder : Path
        Created with the first recording.
    """

    def __init__(self, model: ChatModel | None, *, folder: Path, mode: Literal["auto", "replay"]) -> None:
        self._model = model if mode == "auto" else None
        self._folder = folder

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Return the recorded answer, else ask and record; CassetteMissing where nothing may be asked."""
        path = self._path(request)
        if path.is_file():
            return _read(path, request)
        if self._model is None:
            raise CassetteMissing(
                f"replay request {request.request_hash()} to {request.model}",
                found=f"no recording of it in {self._folder}; it ends with {request.messages[-1].content[-60:]!r}",
                next_step="record it with LEARN_LLM_CASSETTE_MODE=auto and an endpoint in LEARN_LLM_URL",
                request_hash=request.request_hash(),
            )
        answer = self._model.complete(request)
        _write(path, _Recording(request=request, answer=answer))
        return answer

    def _path(self, request: ChatRequest) -> Path:
        name = request.request_hash()
        return self._folder / name[:2] / f"{name}.json"


def _read(path: Path, request: ChatRequest) -> ChatAnswer:
    asked, restore = f"replay {path}", "delete the file and record the request again"
    try:
        recording = _Recording.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataCorrupt(asked, found=str(error).splitlines()[0], next_step=restore) from error
    if recording.request.request_hash() != request.request_hash():
        raise DataCorrupt(asked, found="it records another request than its name says", next_step=restore)
    return recording.answer


def _write(path: Path, recording: Record) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(recording.canonical())
        temporary.replace(path)
    except OSError as error:
        raise StoreUnavailable(
            f"record an answer in {path}", found=str(error), next_step="make the folder writable"
        ) from error
