"""What is in use of every governed model, whoever registered it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from mlflow import MlflowClient  # noqa: TID253  a leaf, loaded by name
from mlflow.entities.model_registry import ModelVersion  # noqa: TID253
from sqlalchemy.orm import Session

from ordinis_learn.ports import Standing
from ordinis_learn.records import State
from ordinis_learn.rollout.states import parse_stage
from ordinis_mlflow._change import STATE_TAG
from ordinis_registry import ledger

__all__ = ["by_ledger", "by_server"]

_PAGE: Final = 1000


def by_ledger(session: Session) -> Mapping[str, Standing]:
    """Return what the ledger says; models outside the policy have no records in it."""
    return {
        subject: Standing(active=known.active, incumbent=known.incumbent, shadow=known.shadow)
        for subject, known in ledger.all_pointers(session).items()
    }


def by_server(client: MlflowClient) -> Mapping[str, Standing]:
    """Return what a server shows of the workspace asked for; what traded before it was flat cannot be seen from here."""
    active: dict[str, str] = {}
    shadow: dict[str, tuple[str, ...]] = {}
    for one in _versions(client):
        if STATE_TAG not in one.tags:
            continue  # no version of ours
        state = parse_stage(one.current_stage)
        if state is State.ACTIVE:
            active[one.name] = str(one.version)
        elif state is State.SHADOW:
            shadow[one.name] = (str(one.version), *shadow.get(one.name, ()))
    return {
        name: Standing(active=active.get(name), incumbent=active.get(name), shadow=shadow.get(name, ()))
        for name in sorted({*active, *shadow})
    }


def _versions(client: MlflowClient) -> Iterator[ModelVersion]:
    token: str | None = None
    while True:
        page = client.search_model_versions(max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
