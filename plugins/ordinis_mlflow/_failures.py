"""MLflow's errors as ours, translated once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mlflow.exceptions import MlflowException  # noqa: TID253  a leaf of the plugin
from sqlalchemy.exc import SQLAlchemyError

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable

__all__ = ["masked", "translated"]

_PASSWORD: Final = re.compile(r"(://[^/@:]*):[^/@]*@")


def masked(text: str) -> str:
    """Return a text with the password of every URI in it replaced.

    Examples
    --------
    >>> masked("postgresql://ada:secret@desk/learn")
    'postgresql://ada:***@desk/learn'
    """
    return _PASSWORD.sub(r"\1:***@", text)


@contextmanager
def translated(asked: str, *, uri: str) -> Iterator[None]:
    """Turn what MLflow and its database raise into ConfigInvalid (a bad value) or StoreUnavailable."""
    try:
        yield
    except MlflowException as error:
        found = masked(str(error.message).strip().splitlines()[0])
        if error.error_code == "INVALID_PARAMETER_VALUE":
            raise ConfigInvalid(asked, found=found, next_step="correct the value and run again") from error
        raise StoreUnavailable(asked, found=found, next_step=_next_step(uri)) from error
    except (SQLAlchemyError, OSError) as error:
        found = masked(f"{type(error).__name__}: {str(error).splitlines()[0]}")
        raise StoreUnavailable(asked, found=found, next_step=_next_step(uri)) from error


def _next_step(uri: str) -> str:
    return f"check that {masked(uri)} can be reached and written; ordinis-learn doctor looks"
