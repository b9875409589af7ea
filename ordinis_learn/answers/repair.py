r"""Read an answer as JSON, before and after exactly one repair.

The repair is a fixed list of steps, each of which only removes or rewrites what is no JSON; none invents a value:

1. drop a byte order mark and what surrounds the first fenced block (three backticks);
2. drop words before the first ``{`` or ``[`` and after the bracket that closes it;
3. drop commas before a closing bracket, outside of texts;
4. write ``True``, ``False`` and ``None``, outside of texts, as JSON does.

An answer that breaks off is not completed: what was not said is not there. NaN, infinities and a key given twice are
no JSON here, with or without repair.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NOT_JSON", "ReadAnswer", "read_answer"]

NOT_JSON: Final = object()
"""What an answer reads as when it is no JSON; None would be the JSON null."""

_FENCE: Final = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_TEXT_OR: Final = r'"(?:[^"\\]|\\.)*"|'
_TRAILING_COMMA: Final = re.compile(_TEXT_OR + r",(?=\s*[}\]])", re.DOTALL)
_PYTHON_WORD: Final = re.compile(_TEXT_OR + r"\b(?:True|False|None)\b", re.DOTALL)
_BRACKET: Final = re.compile(_TEXT_OR + r"[{}\[\]]", re.DOTALL)
_JSON_WORDS: Final = {"True": "true", "False": "false", "None": "null"}


@dataclass(frozen=True, kw_only=True)
class ReadAnswer:
    """What a text says as JSON: ``before`` and ``after`` the repair, NOT_JSON where it says nothing.

    ``steps`` names the steps that changed something; it is empty where none was needed.
    """

    before: Any
    after: Any
    steps: tuple[str, ...] = ()


def read_answer(text: str) -> ReadAnswer:
    r"""Read a model's text.

    Examples
    --------
    >>> read_answer('{"claims": []}').before
    {'claims': []}
    >>> found = read_answer('Here it is:\n```json\n{"sure": True, "claims": [1, 2,],}\n```')
    >>> found.before is NOT_JSON, found.after, found.steps
    (True, {'sure': True, 'claims': [1, 2]}, ('fence', 'trailing_commas', 'python_words'))
    >>> read_answer('{"claims": [1, 2').after is NOT_JSON
    True
    """
    before = _parse(text)
    if before is not NOT_JSON:
        return ReadAnswer(before=before, after=before)
    steps = []
    for name, step in _STEPS:
        changed = step(text)
        if changed != text:
            steps.append(name)
            text = changed
    after = _parse(text)
    return ReadAnswer(before=NOT_JSON, after=after, steps=tuple(steps))


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError):  # deeper than Python reads is not an answer either
        return NOT_JSON


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _unfence(text: str) -> str:
    text = text.removeprefix("\ufeff")
    found = _FENCE.search(text)
    return (found[1] if found else text).strip()


def _unwrap(text: str) -> str:
    """Return the first bracket to the one that closes it; the text as it is where there is none."""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return text
    start, depth = min(starts), 0
    for place, bracket in _brackets(text, start=start):
        depth += 1 if bracket in "{[" else -1
        if depth == 0:
            return text[start : place + 1]
    return text


def _brackets(text: str, *, start: int) -> Iterator[tuple[int, str]]:
    for found in _BRACKET.finditer(text, start):
        if found[0][0] != '"':
            yield found.start(), found[0]


def _drop_trailing_commas(text: str) -> str:
    return _TRAILING_COMMA.sub(lambda found: "" if found[0] == "," else found[0], text)


def _spell_words(text: str) -> str:
    return _PYTHON_WORD.sub(lambda found: _JSON_WORDS.get(found[0], found[0]), text)


_STEPS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("fence", _unfence),
    ("surroundings", _unwrap),
    ("trailing_commas", _drop_trailing_commas),
    ("python_words", _spell_words),
)
