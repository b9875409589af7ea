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


def test_a_killed_search_is_gone_on_with_and_its_run_does_not_stay_running(desk):
    command = [sys.executable, "-m", "ordinis_learn", "--home", str(desk)]
    command += ["tune", "--name", "killed", "--dataset", "core", "--trials", "5", "--folds", "2"]
    around = os.environ | {"LEARN_MIN_SAMPLES": "500"}
    searching = subprocess.Popen(command, env=around, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while "trial 1" not in statuses(desk):
            assert searching.poll() is None, searching.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        searching.kill()
        searching.communicate()
    assert statuses(desk)["train killed"] == "RUNNING"
    again = subprocess.run([*command, "--resume"], env=around, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "after 5 trials" in again.stdout
    client = MlflowClient(tracking_uri=tracking_uri(load_settings(home=desk)))
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    ended = {run.info.status: run for run in runs if run.info.run_name == "train killed"}
    assert set(ended) == {"KILLED", "FINISHED"}
    assert f"process {searching.pid} " in ended["KILLED"].data.tags["ordinis.error"]
    assert not [run for run in runs if run.info.status == "RUNNING"]
