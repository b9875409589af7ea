"""Read a mapping as a record, and say which field is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Record

__all__ = ["parse_record"]

R = TypeVar("R", bound=Record)


def parse_record(kind: type[R], values: Mapping[str, Any], *, asked: str, next_step: str) -> R:
    """Return the record that the values describe.

    Raises
    ------
    ConfigInvalid
        The message names the first field that is wrong and what was given.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or kind.__name__
        raise ConfigInvalid(
            asked, found=f"{field}: {first['msg']} (got {first.get('input')!r})", next_step=next_step
        ) from error
