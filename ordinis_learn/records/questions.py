"""Question packs: what language models are asked when they are compared, and what they may cite."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ordinis_learn.records.base import Record, Sha256, UtcDatetime

__all__ = ["Question", "QuestionDocument", "QuestionPackManifest"]

_Name = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]


class QuestionDocument(Record):
    """A supplied document, or a place in it. ``text`` is None where only recorded answers are judged."""

    doc_id: _Name
    locator: str = ""
    text: str | None = None


class Question(Record):
    """One item: the task, the variables of its prompt, the documents that may be cited.

    ``required`` names the documents that hold the answer, where that is known; every one of them is among
    ``documents``.
    """

    item_id: _Name
    task: _Name
    variables: dict[str, Any]
    documents: tuple[QuestionDocument, ...] = ()
    required: tuple[_Name, ...] = ()


class QuestionPackManifest(Record):
    """What pins a question pack: its items' hash. ``source_ref`` is the dataset it was drawn from."""

    schema_version: Literal["1.0.0"] = "1.0.0"
    kind: Literal["questions"] = "questions"
    pack_id: _Name
    items: Annotated[int, Field(ge=1)]
    tasks: tuple[str, ...]
    documents: int
    items_sha256: Sha256
    source_ref: str
    documents_sha256: Sha256 | None = None
    created_at: UtcDatetime
