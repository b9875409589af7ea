"""What a user sees of a desk in MLflow's own pages.

Set ``ORDINIS_SCREENSHOTS`` to a folder to keep pictures of the pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient  # noqa: TID253  this test is about its pages

from ordinis_mlflow.compare import compare_url

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::FutureWarning")]


def _keep(page, name: str) -> None:
    folder = os.environ.get("ORDINIS_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_the_comparison_page_of_the_study_shows_its_metrics(server, page):
    client = MlflowClient(server)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    url = compare_url(client, server=f"{server}/#", experiment_ids=experiments)
    assert url is not None
    page.goto(url)
    page.get_by_text(re.compile(r"Comparing \d+ Runs", re.IGNORECASE)).first.wait_for()
    # Every fold has an axis of its own beside the means; the list is long, and what is scrolled away is not drawn.
    page.get_by_text(re.compile(r"(mean_|fold_\d/)\w*rank_ic")).locator("visible=true").first.wait_for()
    _keep(page, "compare-runs")


def test_the_model_page_shows_stage_and_aliases(server, page):
    page.goto(f"{server}/#/models/sp500_signal")
    page.get_by_text("@ active").first.wait_for()
    _keep(page, "model")
    page.goto(f"{server}/#/models/sp500_signal/versions/1")
    page.get_by_text("Production").first.wait_for()
    _keep(page, "model-version")


def test_the_training_run_links_to_its_dataset(server, page):
    client = MlflowClient(server)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`ordinis.dataset` LIKE 'sp500_core@%'")
    trained = next(run for run in runs if run.inputs.dataset_inputs)
    page.goto(f"{server}/#/experiments/{trained.info.experiment_id}/runs/{trained.info.run_id}")
    page.get_by_text("sp500_core").first.wait_for()
    _keep(page, "training-run")
