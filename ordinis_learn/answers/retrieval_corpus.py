"""A question pack as a search: its questions, and the documents of all of them to be searched.

Searching what *one* question was given would only reorder what another index found; every document of the pack is
searched for every question.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.question_pack import QuestionPack
from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.models import query_mark
from ordinis_learn.records import Question

__all__ = ["RetrievalCorpus", "retrieval_corpus"]

_QUERY: tuple[str, ...] = ("query", "question")


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalCorpus:
    """What is searched.

    Attributes
    ----------
    items : tuple of Question
        Those that can be judged.
    queries : tuple of str
    required : tuple of tuples of int
        Numbers of documents, at least one per question.
    passages : tuple of str
    document_of : int array, shape (passages,)
    documents : int
    seen : tuple of str
        Ids of items left out because the subject was trained on their query.
    without_answer : int
        Items left out because no required document is known with its text.
    """

    items: tuple[Question, ...]
    queries: tuple[str, ...]
    required: tuple[tuple[int, ...], ...]
    passages: tuple[str, ...]
    document_of: npt.NDArray[np.int64]
    documents: int
    seen: tuple[str, ...]
    without_answer: int


def retrieval_corpus(pack: QuestionPack, *, seen: Collection[str]) -> RetrievalCorpus:
    """Lay out a pack for an encoder.

    Parameters
    ----------
    seen : collection of str
        Marks of the queries that the subject was trained on.

    Raises
    ------
    ConfigInvalid
        It cannot be told which variable of an item is the query.
    EvalFailed
        Nothing is left to judge on.
    """
    passages = {
        (document.doc_id, document.locator): document.text
        for item in pack.items
        for document in item.documents
        if document.text is not None and document.text.strip()
    }
    places = sorted(passages)
    numbers = {doc_id: n for n, doc_id in enumerate(sorted({doc_id for doc_id, _ in places}))}
    left = tuple(item.item_id for item in pack.items if query_mark(_query(item)) in seen)
    unseen = [item for item in pack.items if item.item_id not in set(left)]
    judged = [item for item in unseen if item.required and all(one in numbers for one in item.required)]
    if not judged:
        raise EvalFailed(
            f"judge retrieval on the question pack {pack.manifest.pack_id!r}",
            found=f"{len(left)} of {len(pack.items)} questions were trained on, "
            f"{len(unseen)} have no required document with a text",
            next_step="draw a pack from later answers, with graded feedback and --documents",
        )
    return RetrievalCorpus(
        items=tuple(judged),
        queries=tuple(_query(item) for item in judged),
        required=tuple(tuple(numbers[one] for one in sorted(set(item.required))) for item in judged),
        passages=tuple(str(passages[place]) for place in places),
        document_of=np.array([numbers[doc_id] for doc_id, _ in places], dtype=np.int64),
        documents=len(numbers),
        seen=left,
        without_answer=len(unseen) - len(judged),
    )


def _query(item: Question) -> str:
    texts = {name: value for name, value in item.variables.items() if isinstance(value, str)}
    for name in (*_QUERY, *texts):
        if name in texts and (name in _QUERY or len(texts) == 1):
            return str(texts[name])
    raise ConfigInvalid(
        f"judge retrieval on question {item.item_id!r}",
        found=f"variables {', '.join(sorted(item.variables)) or 'none'}; which one is the query?",
        next_step="draw the pack with --variable query",
    )
