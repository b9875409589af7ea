"""Ask for stages through a stock MLflow client, and show the answer."""

from __future__ import annotations

import warnings
from typing import Any

from ordinis_learn.loop.display import Display
from ordinis_learn.records import ModelArtifact, State
from ordinis_mlflow.compare import compare_url

__all__ = ["StockClient"]


class StockClient:
    """``MlflowClient().transition_model_version_stage`` with the answer printed.

    Nothing here knows the gate: what it can show of a refusal is what any MLflow user would see.
    """

    def __init__(self, *, tracking_uri: str, registry_uri: str, display: Display) -> None:
        from mlflow import MlflowClient

        self._client: Any = MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)
        self._display = display

    def ask(self, artifact: ModelArtifact, state: State) -> bool:
        """Ask; return whether it was granted. A refusal is printed with its reasons."""
        from mlflow.exceptions import MlflowException

        stage = state.value.lower()
        try:
            with warnings.catch_warnings():
                # MLflow calls stages deprecated; they are the door that its clients and its UI have.
                warnings.simplefilter("ignore", FutureWarning)
                self._client.transition_model_version_stage(artifact.name, artifact.version, stage)
        except MlflowException as refusal:
            if refusal.error_code != "PERMISSION_DENIED":
                raise
            self._display.refused(f"v{artifact.version} → {stage}: refused, and here is why")
            for line in refusal.message.splitlines():
                self._display.say(line)
            return False
        self._display.good(f"v{artifact.version} → {stage}: granted")
        return True

    def study_page(self, server: str) -> str | None:
        """Return the page on which the newest study's trials are compared; None without a study."""
        experiments = [experiment.experiment_id for experiment in self._client.search_experiments()]
        return compare_url(self._client, server=server, experiment_ids=experiments)
