"""What a model is called across workspaces: in the ledger, in signed statements, in permits.

In the default workspace a model has its bare name, as it had before there were workspaces; in any other it is
``workspace/name``. MLflow forbids a slash in the names of models and of workspaces, and a name that has one all the same is
refused here, so two models never have one subject.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from ordinis_learn.errors import ConfigInvalid
from ordinis_registry.ledger import EVERYTHING

__all__ = [
    "DEFAULT_WORKSPACE",
    "MOST_CHARACTERS",
    "SUBJECT_SQL",
    "split_subject",
    "subject_column",
    "subject_of",
]

DEFAULT_WORKSPACE: Final = "default"
"""As in ``mlflow.utils.workspace_utils``; a test compares them."""
MOST_CHARACTERS: Final = 256
"""What the ledger's columns hold."""
SUBJECT_SQL: Final = (
    f"CASE WHEN {{row}}.workspace = '{DEFAULT_WORKSPACE}' THEN {{row}}.name "
    "ELSE {row}.workspace || '/' || {row}.name END"
)
"""The subject of a row of MLflow's registry tables, for triggers."""


def subject_of(name: str, *, workspace: str = DEFAULT_WORKSPACE) -> str:
    """Return what the ledger calls a model.

    Raises
    ------
    ConfigInvalid
        The name would be read as something else: as a model of another workspace, or as the ledger's own chain.

    Examples
    --------
    >>> subject_of("signal"), subject_of("signal", workspace="team-a")
    ('signal', 'team-a/signal')
    """
    subject = name if workspace == DEFAULT_WORKSPACE else f"{workspace}/{name}"
    if "/" in name or "/" in workspace or subject == EVERYTHING:
        found = f"{name!r} in the workspace {workspace!r} could be taken for something else in the ledger"
        raise ConfigInvalid(f"govern the model {subject}", found=found, next_step="give it another name")
    if len(subject) > MOST_CHARACTERS:
        found = f"{len(subject)} characters with its workspace, the ledger takes {MOST_CHARACTERS}"
        raise ConfigInvalid(f"govern the model {subject}", found=found, next_step="give it a shorter name")
    return subject


def split_subject(subject: str) -> tuple[str, str]:
    """Return the workspace and the name of a model in it.

    Examples
    --------
    >>> split_subject("signal"), split_subject("team-a/signal")
    (('default', 'signal'), ('team-a', 'signal'))
    """
    workspace, slash, name = subject.rpartition("/")
    return (workspace, name) if slash else (DEFAULT_WORKSPACE, subject)


def subject_column(table: Any) -> sa.ColumnElement[str]:
    """Return the subject of the rows of a table with the columns ``workspace`` and ``name``."""
    named: sa.ColumnElement[str] = sa.case(
        (table.c.workspace == DEFAULT_WORKSPACE, table.c.name),
        else_=table.c.workspace + "/" + table.c.name,
    )
    return named
