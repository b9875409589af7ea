"""Which questions lean on the same documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ordinis_learn.records import Question

__all__ = ["clusters_by_document"]


def clusters_by_document(items: Sequence[Question]) -> npt.NDArray[np.int64]:
    """Return a cluster's number per question: those linked by a required document, over any chain, share one.

    A question without required documents is linked by the first one that it was given, the best match; without any
    it stands alone. (Linking by every supplied document would tie most packs into a single cluster.)

    Examples
    --------
    >>> def question(name, *required):
    ...     documents = tuple({"doc_id": one} for one in required)
    ...     return Question(item_id=name, task="t", variables={}, documents=documents, required=required)
    >>> found = clusters_by_document(
    ...     [question("a", "x"), question("b", "x", "y"), question("c", "y"), question("d", "z")]
    ... )
    >>> [int(one == found[0]) for one in found]
    [1, 1, 1, 0]
    """
    numbers: dict[str, int] = {}
    edges = [
        (place, numbers.setdefault(doc_id, len(numbers)))
        for place, item in enumerate(items)
        for doc_id in (item.required or tuple(document.doc_id for document in item.documents[:1]))
    ]
    if not edges:
        return np.arange(len(items), dtype=np.int64)
    rows, columns = np.array(edges).T
    size = len(items) + len(numbers)
    graph = coo_array((np.ones(len(edges)), (rows, columns + len(items))), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return labels[: len(items)].astype(np.int64)  # type: ignore[no-any-return]
