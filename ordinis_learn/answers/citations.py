"""Citation coverage: which claims of an answer rest on a document that was supplied.

An answer lists ``claims``, each with a text (``text`` or ``claim``) and ``citations`` of ``{doc_id, locator}``, and beside them
``uncertainties``, which nobody counts; a claim marked ``"uncertain": true`` is one of those. A claim is covered when at
least one of its citations *resolves*: its document was supplied and, where the supplied document names places and
the citation does too, so was that place.

More citations do not help: what does not resolve covers nothing, the same citation twice is one, a claim said twice
is one claim, and a claim without words is none. Citing everything for everything earns full coverage all the same, so it is
counted by itself: a claim's *surplus* is (documents cited − 1) / (documents supplied − 1) over those that resolve, 0 for one
document, 1 for all of them, and 0 where only one was supplied. Whether the document *supports* the claim is not judged, for
that takes a reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ordinis_learn.records import QuestionDocument

__all__ = ["Coverage", "citation_coverage"]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Counts of one answer. ``cited`` are distinct citations of claims, ``resolved`` those among them that resolve.

    ``surplus`` is the sum over claims, so at most ``claims``.
    """

    claims: int
    covered: int
    cited: int
    resolved: int
    documents: frozenset[str] = frozenset()
    surplus: float = 0.0


def citation_coverage(answer: Any, *, documents: Iterable[QuestionDocument]) -> Coverage:
    """Count an answer's claims and those that cite a supplied document.

    Parameters
    ----------
    answer : JSON value
        Without a list of ``claims`` there is nothing to count: all zeros.
    documents : iterable of QuestionDocument
        What was supplied.

    Examples
    --------
    >>> supplied = [QuestionDocument(doc_id="10-K", locator="p. 3")]
    >>> claims = [
    ...     {"text": "Revenue rose.", "citations": [{"doc_id": "10-K", "locator": "p. 3"}]},
    ...     {"text": "So did profit.", "citations": [{"doc_id": "a made-up note"}]},
    ... ]
    >>> found = citation_coverage({"claims": claims, "uncertainties": ["why"]}, documents=supplied)
    >>> found.claims, found.covered, found.cited, found.resolved
    (2, 1, 2, 1)
    """
    places: dict[str, set[str]] = {}
    for document in documents:
        places.setdefault(document.doc_id, set()).add(document.locator)
    by_claim = _citations_by_claim(answer)
    cited = {one for citations in by_claim.values() for one in citations}
    resolved = {one for one in cited if _resolves(one, places)}
    return Coverage(
        claims=len(by_claim),
        covered=sum(bool(citations & resolved) for citations in by_claim.values()),
        cited=len(cited),
        resolved=len(resolved),
        documents=frozenset(doc_id for doc_id, _ in resolved),
        surplus=sum(_surplus(citations & resolved, supplied=len(places)) for citations in by_claim.values()),
    )


def _surplus(resolved: set[tuple[str, str]], *, supplied: int) -> float:
    documents = len({doc_id for doc_id, _ in resolved})
    return (documents - 1) / (supplied - 1) if documents > 1 else 0.0


def _citations_by_claim(answer: Any) -> dict[str, set[tuple[str, str]]]:
    """Return the distinct citations of each distinct claim, by its words."""
    claims = answer.get("claims") if isinstance(answer, Mapping) else None
    found: dict[str, set[tuple[str, str]]] = {}
    for claim in claims if isinstance(claims, list) else []:
        words = _words(claim)
        if words:
            found.setdefault(words, set()).update(_citations(claim))
    return found


def _words(claim: Any) -> str:
    """Return a claim's words in one spelling; nothing for an uncertainty or what is no claim."""
    if isinstance(claim, str):
        return " ".join(claim.casefold().split())
    if not isinstance(claim, Mapping) or claim.get("uncertain") is True:
        return ""
    text = claim.get("text", claim.get("claim"))
    return " ".join(text.casefold().split()) if isinstance(text, str) else ""


def _citations(claim: Any) -> set[tuple[str, str]]:
    listed = claim.get("citations") if isinstance(claim, Mapping) else None
    found = set()
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, Mapping) and isinstance(one.get("doc_id"), str):
            locator = one.get("locator")
            found.add((one["doc_id"], locator if isinstance(locator, str) else ""))
    return found


def _resolves(citation: tuple[str, str], places: Mapping[str, set[str]]) -> bool:
    doc_id, locator = citation
    if doc_id not in places:
        return False
    known = places[doc_id]
    # A document supplied as a whole has the locator "": any place in it may be cited.
    return not locator or "" in known or locator in known
