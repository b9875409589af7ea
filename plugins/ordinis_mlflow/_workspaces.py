"""MLflow's workspaces: work in the one a model belongs to.

MLflow finds the workspace in the context of the request, not in its methods' arguments, so whoever holds a model's subject
(see :mod:`ordinis_registry.subjects`) enters its workspace first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient  # noqa: TID253  a leaf, loaded by name
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES  # noqa: TID253
from mlflow.utils.workspace_context import (  # noqa: TID253
    ServerWorkspaceContext,
    WorkspaceContext,
    get_request_workspace,
)

from ordinis_registry.subjects import DEFAULT_WORKSPACE, split_subject

__all__ = ["SubjectClient", "in_workspace_of", "scoped_path"]


@contextmanager
def in_workspace_of(subject: str, *, with_threads: bool = False) -> Iterator[str]:
    """Work in a model's workspace; yield the model's name in it.

    Where nobody has asked for a workspace none is asked for either: a server without workspaces refuses the question.

    Parameters
    ----------
    subject : str
        The model.
    with_threads : bool
        For a client that downloads: MLflow starts threads for that, and tells them by an environment variable. A server
        must not set it, because it would reach other requests.
    """
    workspace, name = split_subject(subject)
    if workspace == (get_request_workspace() or DEFAULT_WORKSPACE) and not MLFLOW_ENABLE_WORKSPACES.get():
        yield name
        return
    with WorkspaceContext(workspace) if with_threads else ServerWorkspaceContext(workspace):
        yield name


def scoped_path(parts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return where a server with workspaces keeps a proxied artifact path, None for another workspace's.

    The rule is MLflow's: what the default workspace stores lies at the root, what another one stores below
    ``workspaces/NAME``, and no request reaches into a workspace that is not its own.
    """
    if not MLFLOW_ENABLE_WORKSPACES.get():
        return parts
    workspace = get_request_workspace() or DEFAULT_WORKSPACE
    if parts[:1] == ("workspaces",):
        return parts if parts[1:2] == (workspace,) else None
    return parts if workspace == DEFAULT_WORKSPACE else ("workspaces", workspace, *parts)


class SubjectClient:
    """MLflow's client, its methods about one model called with the model's subject first."""

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return a method of MLflow's client that enters the workspace of its first argument."""

        def call(subject: str, *arguments: Any, **named: Any) -> Any:
            with in_workspace_of(subject) as name:
                return getattr(self._client, method)(name, *arguments, **named)

        return call
