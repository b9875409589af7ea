"""The page that compares the trials of a study."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["compare_url"]

_IS_TRIAL: Final = "tags.`ordinis.trial` != ''"
_TRIALS_OF: Final = f"tags.`mlflow.parentRunId` = '{{}}' AND {_IS_TRIAL}"
"""The folds of the best trial's fit lie below the same run; they are no trials."""


def compare_url(client: MlflowClient, *, server: str, experiment_ids: list[str]) -> str | None:
    """Return the address of MLflow's run-comparison page for the newest study.

    Parameters
    ----------
    client : MlflowClient
        Where the runs are.
    server : str
        What comes before the route, e.g. ``http://127.0.0.1:5000/#``.
    experiment_ids : list of str
        Where to look.

    Returns
    -------
    str or None
        None when no study was run.
    """
    trials = client.search_runs(
        experiment_ids, _IS_TRIAL, order_by=["attributes.start_time DESC"], max_results=1
    )
    if not trials:
        return None
    newest = trials[0]
    parent = newest.data.tags["mlflow.parentRunId"]
    runs = client.search_runs([newest.info.experiment_id], _TRIALS_OF.format(parent), max_results=100)
    ids = json.dumps([run.info.run_id for run in runs], separators=(",", ":"))
    experiments = json.dumps([newest.info.experiment_id])
    return f"{server}/compare-runs?runs={quote(ids)}&experiments={quote(experiments)}"
