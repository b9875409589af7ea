"""Where an encoder puts the documents that hold the answer.

Sources: reciprocal rank, Voorhees (1999), *The TREC-8 question answering track report*; discounted gain, Järvelin &
Kekäläinen (2002), *Cumulated gain-based evaluation of IR techniques*, with binary gain and log₂(1 + rank).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["QuestionRanking", "document_scores", "rank_required", "ranking_measures"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class QuestionRanking:
    """One question's measures, all in [0, 1].

    ``recall`` is the share of required documents among the first k, ``hit`` whether any is, ``reciprocal_rank`` that of
    the first required one over all documents, ``ndcg`` the discounted gain of the first k over the best possible.
    """

    recall: float
    hit: bool
    reciprocal_rank: float
    ndcg: float


def document_scores(queries: Float2D, passages: Float2D, *, document_of: Int1D, documents: int) -> Float2D:
    """Return each document's cosine with each query: the best of its passages, shape (n, documents).

    Parameters
    ----------
    queries : float64 array, shape (n, d)
        Rows of length 1, or zeros where there is no vector.
    passages : float64 array, shape (m, d)
        The same.
    document_of : int array, shape (m,)
        The document that a passage belongs to, in 0 … documents − 1; each has one at least.

    Examples
    --------
    >>> scores = document_scores(
    ...     np.array([[1.0, 0.0]]),
    ...     np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]]),
    ...     document_of=np.array([0, 0, 1]),
    ...     documents=2,
    ... )
    >>> scores.tolist()
    [[1.0, 0.6]]
    """
    cosine = queries @ passages.T
    best = np.full((len(queries), documents), -np.inf)
    for passage, document in enumerate(document_of):
        np.maximum(best[:, document], cosine[:, passage], out=best[:, document])
    return best


def rank_required(scores: Float1D, *, required: Sequence[int]) -> Int1D:
    """Return the ranks of the required documents, best first, from 1.

    A tie with a document that is not required counts against: an encoder that says the same of everything finds
    nothing. So does a score that is no number: it ranks with the worst. Cosines are compared to ten digits, so that the order
    of adding decides no rank.

    Examples
    --------
    >>> rank_required(np.array([0.9, 0.5, 0.5, 0.1]), required=[0, 1]).tolist()
    [1, 3]
    >>> rank_required(np.zeros(4), required=[2]).tolist()
    [4]
    """
    rounded = np.round(np.where(np.isnan(scores), -np.inf, scores), 10)
    wanted = np.zeros(len(scores), dtype=np.bool_)
    wanted[list(required)] = True
    own = np.sort(rounded[wanted])[::-1]
    others = np.sort(rounded[~wanted])
    ahead = len(others) - np.searchsorted(others, own, side="left")
    ranks: Int1D = (np.arange(1, len(own) + 1) + ahead).astype(np.int64)
    return ranks


def ranking_measures(ranks: Int1D, *, k: int) -> QuestionRanking:
    """Return the measures of one question.

    Parameters
    ----------
    ranks : int array, shape (r,)
        Of its required documents, ascending; r ≥ 1.
    k : int

    Examples
    --------
    >>> found = ranking_measures(np.array([1, 12]), k=10)
    >>> found.recall, found.hit, found.reciprocal_rank, round(found.ndcg, 4)
    (0.5, True, 1.0, 0.6131)
    """
    first = ranks[ranks <= k]
    best = np.arange(1, min(k, len(ranks)) + 1)
    return QuestionRanking(
        recall=len(first) / len(ranks),
        hit=bool(len(first)),
        reciprocal_rank=1.0 / int(ranks[0]),
        ndcg=float((1.0 / np.log2(1.0 + first)).sum() / (1.0 / np.log2(1.0 + best)).sum()),
    )
