"""Which retired versions keep their bytes, and why; what goes is only bytes, never a row or a record.

A pure function of facts that the registry gathers: the same facts give the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ordinis_learn.records import Retention, State

__all__ = ["VersionFacts", "retained"]

_Place = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class VersionFacts:
    """What decides about the bytes of one version.

    ``order`` grows with registration, over all models. ``needed`` says what the version is still for, in words;
    empty where nothing speaks for it. ``place`` is where its bytes lie, part by part.
    """

    name: str
    version: str
    model_type: str
    state: State
    order: int
    place: _Place
    needed: str = ""


def retained(versions: Sequence[VersionFacts], *, keep: int) -> list[Retention]:
    """Say of each RETIRED version whether its bytes stay, newest first.

    Parameters
    ----------
    versions : Sequence[VersionFacts]
        Every version, in whatever state: one that stays protects the bytes it shares with others.
    keep : int
        So many of the newest retired versions of each model type stay, whatever else is said of them.

    Examples
    --------
    >>> old, new = (
    ...     VersionFacts(
    ...         name="m",
    ...         version=v,
    ...         model_type="signal_model",
    ...         state=State.RETIRED,
    ...         order=int(v),
    ...         place=("a", v),
    ...     )
    ...     for v in "12"
    ... )
    >>> [(one.version, one.kept) for one in retained([old, new], keep=1)]
    [('2', 'one of the newest 1 retired of type signal_model'), ('1', '')]
    """
    newest_first = sorted(versions, key=lambda one: one.order, reverse=True)
    why = dict(zip(newest_first, _reasons(newest_first, keep=keep), strict=True))
    while sharing := {one: found for one in newest_first if not why[one] and (found := _shared(one, why))}:
        why |= sharing
    return [
        Retention(name=one.name, version=one.version, kept=why[one])
        for one in newest_first
        if one.state is State.RETIRED
    ]


def _reasons(newest_first: Sequence[VersionFacts], *, keep: int) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for one in newest_first:
        if one.state is not State.RETIRED:
            yield one.state.value
            continue
        seen[one.model_type] += 1
        newest = f"one of the newest {keep} retired of type {one.model_type}"
        yield one.needed or (newest if seen[one.model_type] <= keep else "")


def _shared(one: VersionFacts, why: dict[VersionFacts, str]) -> str:
    """Say which version that stays has its bytes in the same folder, above or below it."""
    for other, stays in why.items():
        depth = min(len(one.place), len(other.place))
        if stays and one.place[:depth] == other.place[:depth]:
            return f"{other.name} {other.version} has the same bytes and stays"
    return ""
