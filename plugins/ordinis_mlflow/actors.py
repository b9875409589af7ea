"""Who makes a request to the store, and how we know."""

from __future__ import annotations

import getpass
import os
import sys
from typing import Any, Final
from urllib.parse import unquote

from ordinis_learn.records import Actor
from ordinis_mlflow.headers import ACTOR_HEADER

__all__ = ["current_actor"]

_LONGEST: Final = 128


def current_actor() -> Actor:
    """Return who asks.

    Behind a server: the user that MLflow's authentication has let in, else the name that the header
    claims. In-process: the name that ``ORDINIS_ACTOR`` claims, else the user of the operating system.
    """
    request = _request()
    if request is not None:
        return _remote(request)
    claimed = _cleaned(os.environ.get("ORDINIS_ACTOR", ""))
    if claimed:
        return Actor(name=claimed, kind="claimed")
    return Actor(name=getpass.getuser(), kind="os_user")


def _request() -> Any | None:
    """Return Flask, while it handles a request; a process that never imported it handles none."""
    flask = sys.modules.get("flask")
    return flask if flask is not None and flask.has_request_context() else None


def _remote(flask: Any) -> Actor:
    # MLflow's auth app leaves the name here after it has checked the password; a bare Authorization
    # header proves nothing on a server that does not ask for one.
    authenticated = getattr(flask.g, "mlflow_authenticated_user", None)
    if authenticated:
        return Actor(name=str(authenticated), kind="authenticated")
    claimed = _cleaned(unquote(flask.request.headers.get(ACTOR_HEADER, "")))
    return Actor(name=claimed or f"someone at {flask.request.remote_addr}", kind="claimed")


def _cleaned(name: str) -> str:
    """Return a name as one printable line of bounded length."""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:_LONGEST]
