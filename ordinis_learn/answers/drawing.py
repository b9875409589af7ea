"""Questions drawn from a ``rag_eval`` dataset: what people really asked, with what they were given to cite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Question, QuestionDocument

__all__ = ["draw_questions", "read_documents"]

_DOCUMENTS = TypeAdapter(list[QuestionDocument])


def draw_questions(
    table: pa.Table, *, task: str, variable: str, texts: Mapping[tuple[str, str], str] | None = None
) -> list[Question]:
    """Turn each row into a question; queries that are asked again with the same documents are one question.

    What the grader called relevant is required where it was also retrieved: nobody can cite what he was not given.

    Parameters
    ----------
    table : pa.Table
        Rows of a ``rag_eval`` dataset.
    task, variable : str
        The prompt pack's task, and its variable that takes the query.
    texts : mapping, optional
        Text by (doc_id, locator). A live run needs them; recorded answers are judged without.
    """
    found: dict[tuple[str, str], Question] = {}
    for row in table.select(["query_id", "query", "retrieved", "relevant"]).to_pylist():
        documents = tuple(_supplied(json.loads(row["retrieved"]), texts or {}))
        there = {document.doc_id for document in documents}
        relevant = {document["doc_id"] for document in json.loads(row["relevant"])}
        question = Question(
            item_id=row["query_id"],
            task=task,
            variables={variable: row["query"]},
            documents=documents,
            required=tuple(sorted(relevant & there)),
        )
        found.setdefault((row["query"], row["retrieved"]), question)
    return list(found.values())


def read_documents(path: Path) -> dict[tuple[str, str], str]:
    """Read the texts of documents from JSON lines of ``{doc_id, locator, text}``.

    Raises
    ------
    ConfigInvalid
        The file cannot be read, or a line is something else.
    """
    asked = f"read the documents in {path}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        documents = _DOCUMENTS.validate_python([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigInvalid(
            asked,
            found=str(error).splitlines()[0],
            next_step='write one JSON object a line: {"doc_id": "…", "locator": "…", "text": "…"}',
        ) from error
    return {(one.doc_id, one.locator): one.text for one in documents if one.text is not None}


def _supplied(
    retrieved: list[dict[str, Any]], texts: Mapping[tuple[str, str], str]
) -> Iterator[QuestionDocument]:
    seen = set()
    for document in retrieved:
        place = document["doc_id"], document["locator"]
        if place not in seen:
            seen.add(place)
            yield QuestionDocument(
                doc_id=place[0], locator=place[1], text=texts.get(place, texts.get((place[0], "")))
            )
