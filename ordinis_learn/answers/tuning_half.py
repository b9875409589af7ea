"""Questions to tune on and questions to judge by, apart by what they lean on.

A choice that was made on a question is flattered by it, and by every other question about the same documents. So whole clusters
(:func:`ordinis_learn.answers.clusters_by_document`) are dealt to one half or the other, what was tuned on is marked by its query and its
documents, and questions with such a mark are left out when the choice is judged, in this pack and in any other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ordinis_learn.answers.clusters import clusters_by_document
from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.records import Question, hash_of

__all__ = ["Unseen", "answer_score", "question_marks", "tuning_half", "unseen_questions"]


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Questions that may be judged by, and the ids of those left out."""

    items: tuple[Question, ...]
    left_out: tuple[str, ...]


def tuning_half(items: Sequence[Question], *, seed: int) -> tuple[Question, ...]:
    """Return about half of the questions, in whole clusters dealt by the seed, in the order given.

    The largest clusters are dealt first, each to the half that has fewer questions so far; the smaller half is returned.

    Examples
    --------
    >>> def about(name, doc_id):
    ...     return Question(
    ...         item_id=name,
    ...         task="t",
    ...         variables={"query": name},
    ...         required=[doc_id],
    ...         documents=[{"doc_id": doc_id}],
    ...     )
    >>> items = [about(f"{doc_id}{n}", doc_id) for doc_id in "abcd" for n in range(3)]
    >>> half = tuning_half(items, seed=7)
    >>> len(half), len({item.required for item in half})
    (6, 2)
    """
    clusters = clusters_by_document(items)
    names, sizes = np.unique(clusters, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    taken, counts = [set[int](), set[int]()], [0, 0]
    for place in order:
        side = 0 if counts[0] < counts[1] else 1
        taken[side].add(int(names[place]))
        counts[side] += int(sizes[place])
    tuned = taken[0] if counts[0] <= counts[1] else taken[1]
    return tuple(item for item, cluster in zip(items, clusters, strict=True) if int(cluster) in tuned)


def question_marks(item: Question) -> frozenset[str]:
    """Return what a question is recognised by: the hash of what it asks, and of each document that it leans on."""
    leans_on = item.required or tuple(document.doc_id for document in item.documents[:1])
    asked = hash_of({"task": item.task, "variables": item.variables}, domain="ordinis.question.asked")
    return frozenset({asked, *(hash_of(doc_id, domain="ordinis.question.document") for doc_id in leans_on)})


def unseen_questions(items: Sequence[Question], *, seen: Collection[str]) -> Unseen:
    """Leave out every question that shares a mark with what was tuned on."""
    known = frozenset(seen)
    left_out = tuple(item.item_id for item in items if question_marks(item) & known)
    gone = set(left_out)
    return Unseen(items=tuple(item for item in items if item.item_id not in gone), left_out=left_out)


def answer_score(outcome: Outcome) -> float:
    """Return how good an answer is to a search, in [0, 1]: 0 without a valid one, else the share of its claims that are covered.

    An answer without claims scores 1 where it is valid.
    """
    if not outcome.valid:
        return 0.0
    claims = outcome.coverage.claims
    return outcome.coverage.covered / claims if claims else 1.0
