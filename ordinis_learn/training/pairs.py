"""Queries and the documents that answered them: what an embedding model learns from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ordinis_learn.errors import DataMissing
from ordinis_learn.models import query_mark

__all__ = ["TrainingPairs", "hold_out", "training_pairs"]

Int1D = npt.NDArray[np.int64]
Texts = Mapping[tuple[str, str], str]


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingPairs:
    """Distinct pairs of a query and a document that answered it, ordered by the rows of the dataset.

    Attributes
    ----------
    queries, documents : tuples of str
        Distinct texts.
    query_of, document_of : int arrays, shape (n,)
        A pair's query and document.
    without_text : int
        Pairs left out because nobody gave the document's text.
    first, last : str
        The days (UTC) of the first and the last answer used.
    """

    queries: tuple[str, ...]
    documents: tuple[str, ...]
    query_of: Int1D
    document_of: Int1D
    without_text: int
    first: str
    last: str

    def __len__(self) -> int:
        return len(self.query_of)

    def marks(self) -> frozenset[str]:
        """Return what stands for each query without telling it."""
        return frozenset(query_mark(query) for query in self.queries)


def training_pairs(
    table: pa.Table, *, texts: Texts, min_grade: float, min_pairs: int, asked: str
) -> TrainingPairs:
    """Pair each query with what its graders called relevant; where nobody graded, with what the answer cited.

    Parameters
    ----------
    table : pa.Table
        Rows of a ``rag_eval`` dataset.
    texts : mapping
        Text by (doc_id, locator); a place without a text of its own has that of its document.

    Raises
    ------
    DataMissing
        Fewer than ``min_pairs``.
    """
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    pairs: dict[tuple[int, int], None] = {}
    moments, without = [], 0
    for row in table.select(["query", "cited", "relevant", "grade", "ts_response"]).to_pylist():
        if row["grade"] is not None and row["grade"] < min_grade:
            continue
        for place in json.loads(row["relevant"]) or json.loads(row["cited"]):
            text = texts.get((place["doc_id"], place["locator"]), texts.get((place["doc_id"], ""), ""))
            if not text.strip():
                without += 1
                continue
            query = queries.setdefault(" ".join(row["query"].split()), len(queries))
            pairs[query, documents.setdefault(text, len(documents))] = None
            moments.append(row["ts_response"])
    if len(pairs) < min_pairs:
        raise DataMissing(
            asked,
            found=f"{len(pairs)} pairs of a query and a document with a text, {min_pairs} are needed; "
            f"{without} citations have no text",
            next_step="give --documents with the texts of what was cited, widen the dataset's window, "
            "or set LEARN_MIN_SAMPLES",
            rows=len(pairs),
            without_text=without,
        )
    columns = np.array(list(pairs), dtype=np.int64)
    return TrainingPairs(
        queries=tuple(queries),
        documents=tuple(documents),
        query_of=columns[:, 0],
        document_of=columns[:, 1],
        without_text=without,
        first=min(moments).date().isoformat(),
        last=max(moments).date().isoformat(),
    )


def hold_out(pairs: TrainingPairs, *, share: float, seed: int, asked: str) -> npt.NDArray[np.bool_]:
    """Say which pairs are held out, shape (n,): whole groups, linked by a query or a document over any chain.

    Groups are taken in a random order while they fit into the share, so that at most ``share`` is held out.

    Raises
    ------
    DataMissing
        Everything hangs together, or the share is less than two pairs: nothing can be held out without leakage.
    """
    size = len(pairs.queries) + len(pairs.documents)
    edges = (np.ones(len(pairs)), (pairs.query_of, pairs.document_of + len(pairs.queries)))
    _, labels = connected_components(coo_array(edges, shape=(size, size)), directed=False)
    group = labels[pairs.query_of]
    numbers, counts = np.unique(group, return_counts=True)
    room, taken = share * len(pairs), []
    for place in np.random.default_rng(seed).permutation(len(numbers)):
        if counts[place] <= room:
            room -= counts[place]
            taken.append(numbers[place])
    held = np.isin(group, taken)
    if held.sum() < 2:
        raise DataMissing(
            asked,
            found=f"{len(pairs)} pairs in {len(numbers)} groups that share queries or documents; "
            f"{share:.0%} of them cannot be held out whole",
            next_step="train on answers that cite more different documents, or set validation_share to 0",
            groups=len(numbers),
        )
    return held
