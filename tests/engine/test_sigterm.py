"""A training that is told to end leaves a run that says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient  # noqa: TID253  what MLflow says is what is tested

from ordinis_learn.settings import load_settings
from ordinis_learn.wiring import tracking_uri

pytestmark = pytest.mark.slow


def statuses(home):
    client = MlflowClient(tracking_uri=tracking_uri(load_settings(home=home)))
    experiments = [one.experiment_id for one in client.search_experiments()]
    return {run.info.run_name: run.info.status for run in client.search_runs(experiments)}


def test_sigterm_in_the_middle_of_a_fit_leaves_it_failed_and_nothing_registered(desk):
    before = statuses(desk)
    command = [sys.executable, "-m", "ordinis_learn", "--home", str(desk)]
    command += ["train", "--name", "ended", "--dataset", "core", "--rounds", "1000000"]
    training = subprocess.Popen(
        command, env=os.environ | {"LEARN_MIN_SAMPLES": "500"}, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 120
        while statuses(desk).get("train ended") != "RUNNING":
            assert training.poll() is None, training.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        training.send_signal(signal.SIGTERM)
        _, said = training.communicate(timeout=60)
    finally:
        training.kill()
    assert training.returncode == 128 + signal.SIGTERM, said
    assert statuses(desk) == before | {"train ended": "FAILED"}
