"""What may stand in the free parts of a pack, its output schemas and examples: JSON that reads the same everywhere.

YAML knows more than JSON: dates, numbers that are none, keys that are no texts, parts that contain themselves or each other a
billion times. Canonical JSON knows less: no integers beyond 2⁵³. Whatever a pack cannot keep is named by its place.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["MOST_VALUES", "unplain_value"]

MOST_VALUES: Final = 200_000
"""Values within one part of a pack, counted as often as they are written out."""
_DEEPEST: Final = 64
_LARGEST_INTEGER: Final = 2**53 - 1


def unplain_value(value: Any) -> str:
    """Return the first place that is no plain JSON and why, as ``place: reason``; empty where all is.

    Examples
    --------
    >>> unplain_value({"steps": [{"id": 1}, {"id": float("nan")}]})
    'steps.1.id: nan is no JSON number'
    >>> unplain_value({"steps": [1, 2.5, None, True, "text"]})
    ''
    """
    left = MOST_VALUES
    stack: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    while stack:
        for place, one in stack[-1]:
            left -= 1
            fault = _fault(one) or (f"more than {MOST_VALUES:,} values, written out" if left < 0 else "")
            if not fault and isinstance(one, Mapping | list | tuple) and len(stack) > _DEEPEST:
                fault = f"nested deeper than {_DEEPEST}"
            if fault:
                return f"{place.lstrip('.') or 'the whole'}: {fault}"
            if isinstance(one, Mapping | list | tuple):
                stack.append(_inside(place, one))
                break
        else:
            stack.pop()
    return ""


def _inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return ((f"{place}.{key}", one) for key, one in items)


def _fault(value: Any) -> str:
    match value:
        case None | bool() | list() | tuple():
            fault = ""
        case str():
            fault = _text_fault(value)
        case int():
            fault = "" if abs(value) <= _LARGEST_INTEGER else f"{value} is beyond 2⁵³, write it as a text"
        case float():
            fault = "" if math.isfinite(value) else f"{value} is no JSON number"
        case Mapping():
            fault = next(filter(None, map(_key_fault, value)), "")
        case _:
            fault = f"a {type(value).__name__} is no JSON, write it in quotes"
    return fault


def _key_fault(key: Any) -> str:
    return _text_fault(key) if isinstance(key, str) else f"the key {key!r} is no text, write it in quotes"


def _text_fault(text: str) -> str:
    if "\x00" in text:
        return "a NUL character, which databases cannot hold"
    return (
        "half of a surrogate pair, which is no character"
        if any("\ud800" <= one <= "\udfff" for one in text)
        else ""
    )
