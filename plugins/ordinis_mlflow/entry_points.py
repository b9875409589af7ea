"""What MLflow finds through the entry-point group ``mlflow.model_registry_store``.

MLflow loads these while it is being imported itself, and an exception here would break every user of the
environment, so this module imports nothing of MLflow until it is called.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

__all__ = ["BACKEND_URI", "REGISTRY_URI", "REPLICA_URI", "registry_store"]

REGISTRY_URI: Final = "_MLFLOW_SERVER_REGISTRY_STORE"
"""Set by ``mlflow server``, as in ``mlflow.server.constants``, which would import the whole server."""
BACKEND_URI: Final = "_MLFLOW_SERVER_FILE_STORE"
REPLICA_URI: Final = "_MLFLOW_SERVER_READ_REPLICA_BACKEND_STORE"
_PREFIX = "ordinis+"


def registry_store(store_uri: str | None = None, tracking_uri: str | None = None) -> Any:
    """Open the governed registry store behind ``ordinis+sqlite://…`` or ``ordinis+postgresql://…``.

    Parameters
    ----------
    store_uri : str
        The database's SQLAlchemy URL with ``ordinis+`` in front.
    tracking_uri : str, optional
        Where the runs and logged models behind the versions are; MLflow passes it.
    """
    if not store_uri or not store_uri.startswith(_PREFIX):
        from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

        raise ConfigInvalid(
            f"open the governed registry {store_uri!r}",
            found="the address does not begin with ordinis+",
            next_step="use ordinis+sqlite:///registry_db/ordinis.db or ordinis+postgresql://…",
        )
    from ordinis_mlflow._reconcile import look_around  # noqa: PLC0415
    from ordinis_mlflow._store import store_class  # noqa: PLC0415  imports MLflow's SQL store

    database = store_uri.removeprefix(_PREFIX)
    store = store_class()(database, _replica_of(database), tracking_uri=tracking_uri)
    if os.environ.get(REGISTRY_URI) == store_uri:
        # A server starts: it looks around beside its first requests, which do not wait for that.
        threading.Thread(target=look_around, args=(store,), name="ordinis-reconcile", daemon=True).start()
    return store


def _replica_of(database: str) -> str | None:
    """Return the server's read replica, if it is one of the registry's database: the option names the backend's."""
    return os.environ.get(REPLICA_URI) if os.environ.get(BACKEND_URI) == database else None
