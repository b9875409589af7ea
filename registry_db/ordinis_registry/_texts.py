"""Read what somebody left in an SQLite file as it is, even where it is no text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session

__all__ = ["as_it_is"]


@contextmanager
def as_it_is(session: Session) -> Iterator[None]:
    """Let a text that is no UTF-8 come as bytes instead of an error; whoever reads has to expect both.

    SQLite stores any bytes as a text and its driver refuses the whole row. PostgreSQL lets none in.
    """
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    driver: Any = session.connection().connection.driver_connection
    usual = driver.text_factory
    driver.text_factory = _text_or_bytes
    try:
        yield
    finally:
        driver.text_factory = usual


def _text_or_bytes(stored: bytes) -> str | bytes:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return stored
