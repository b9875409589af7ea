"""Read universal binary JSON, as xgboost writes it, without trusting a byte.

xgboost's own reader takes lengths and counts as they stand: a file that was cut off ends the process, and one that was made
to can read beyond the memory it was given. Draft 12 of ubjson.org is the format; what xgboost never writes (high-precision
numbers, typed objects, no-ops) is refused.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_LEVELS", "read_ubjson"]

MOST_LEVELS: Final = 16
_NUMBERS: Final[dict[bytes, np.dtype[Any]]] = {
    b"i": np.dtype(">i1"),
    b"U": np.dtype(">u1"),
    b"I": np.dtype(">i2"),
    b"l": np.dtype(">i4"),
    b"L": np.dtype(">i8"),
    b"d": np.dtype(">f4"),
    b"D": np.dtype(">f8"),
}
_WORDS: Final[dict[bytes, bool | None]] = {b"Z": None, b"T": True, b"F": False}


def read_ubjson(content: bytes) -> Any:
    r"""Return the value that the bytes hold; arrays of one type of number are NumPy arrays.

    Raises
    ------
    ValueError
        They are not one whole value, and nothing else.

    Examples
    --------
    >>> read_ubjson(b"{i\x01a[$U#i\x02\x05\x07i\x01bSi\x02no}")
    {'a': array([5, 7], dtype=uint8), 'b': 'no'}
    >>> read_ubjson(b"[$U#L\x7f\xff\xff\xff\xff\xff\xff\xff")
    Traceback (most recent call last):
    ValueError: 9223372036854775807 bytes at 13, where 0 are left
    """
    reader = _Reader(content)
    value = reader.value(levels=MOST_LEVELS)
    if reader.place != len(content):
        raise ValueError(f"{len(content) - reader.place} bytes behind the end")
    return value


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def value(self, *, levels: int, kind: bytes | None = None) -> Any:
        kind = self._take(1) if kind is None else kind
        if kind in _NUMBERS:
            return self._numbers(kind, count=1)[0].item()
        if kind in _WORDS:
            return _WORDS[kind]
        if kind == b"S":
            return self._text()
        if kind not in {b"[", b"{"} or not levels:
            raise ValueError(
                f"{kind!r} at {self.place - 1}" if levels else f"nested deeper than {MOST_LEVELS}"
            )
        return self._array(levels - 1) if kind == b"[" else self._object(levels - 1)

    def _array(self, levels: int) -> Any:
        mark = self._take(1)
        if mark == b"$":
            kind = self._take(1)
            if kind not in _NUMBERS or self._take(1) != b"#":
                raise ValueError(f"an array of {kind!r} at {self.place}")
            return self._numbers(kind, count=self._count())
        if mark == b"#":
            return [self.value(levels=levels) for _ in range(self._count())]
        found = []
        while mark != b"]":
            found.append(self.value(levels=levels, kind=mark))
            mark = self._take(1)
        return found

    def _object(self, levels: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (mark := self._take(1)) != b"}":
            name = self._text(length=mark)
            if name in found:
                raise ValueError(f"{name!r} twice")
            found[name] = self.value(levels=levels)
        return found

    def _count(self, kind: bytes | None = None) -> int:
        kind = self._take(1) if kind is None else kind
        if kind not in _NUMBERS or kind in {b"d", b"D"}:
            raise ValueError(f"a length of kind {kind!r} at {self.place - 1}")
        count = int(self._numbers(kind, count=1)[0])
        # A value takes a byte at least: a count beyond the bytes that are left is none.
        if not 0 <= count <= len(self._content) - self.place:
            raise ValueError(
                f"{count} bytes at {self.place}, where {len(self._content) - self.place} are left"
            )
        return count

    def _text(self, *, length: bytes | None = None) -> str:
        return self._take(self._count(length)).decode("utf-8")

    def _numbers(self, kind: bytes, *, count: int) -> npt.NDArray[Any]:
        dtype = _NUMBERS[kind]
        taken = np.frombuffer(self._take(count * dtype.itemsize), dtype=dtype)
        return taken.astype(dtype.newbyteorder("="))

    def _take(self, count: int) -> bytes:
        taken = self._content[self.place : self.place + count]
        if len(taken) < count:
            raise ValueError(f"{count} bytes at {self.place}, where {len(taken)} are left")
        self.place += count
        return taken
