"""MLflow's own tests of its SQL registry store, run against ours.

MLflow does not publish its tests with its packages, so they are read from a checkout:

    git clone --depth 1 --branch v3.17.2 https://github.com/mlflow/mlflow
    ORDINIS_MLFLOW_SOURCE=$PWD/mlflow python -Im pytest -m slow tests/store/conformance

MLflow's own store goes first. What fails there is a matter between the checkout and the installed MLflow or this machine,
and is left out. What else fails must be exactly what ``docs/mlflow-suite.md`` lists.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import sqlalchemy as sa

HERE = Path(__file__).parent
PAGE = Path(__file__).parents[3] / "docs" / "mlflow-suite.md"
SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
FOLDER = "tests/store/model_registry"
FILES = ("test_sqlalchemy_store.py", "test_sqlalchemy_workspace_store.py", "test_read_write_routing.py")
LEAST = 200
"""Fewer outcomes than this mean that the suite did not run, not that it passed."""


@pytest.fixture(scope="module")
def checkout():
    source = os.environ.get("ORDINIS_MLFLOW_SOURCE")
    if source is None:
        pytest.skip("MLflow's tests come from a checkout of MLflow: set ORDINIS_MLFLOW_SOURCE to its folder")
    folder = Path(source).resolve()
    assert (folder / FOLDER / FILES[0]).is_file(), f"no checkout of MLflow with its tests at {folder}"
    return folder


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request):
    """The server that stands in for SQLite files, None where they stay."""
    if request.param == "sqlite":
        return None
    try:
        sa.create_engine(SERVER, connect_args={"connect_timeout": 2}).connect().close()
    except (ModuleNotFoundError, sa.exc.OperationalError):
        pytest.skip(f"no PostgreSQL server at {sa.make_url(SERVER).render_as_string()}")
    return SERVER


@pytest.fixture(scope="module")
def run(checkout, server, tmp_path_factory):
    """Run the suite against a store under a policy; return each test with its outcome."""

    def outcomes(store, *, policy="gov_v1"):
        folder = tmp_path_factory.mktemp("suite")
        (folder / "tests").symlink_to(
            checkout / "tests"
        )  # not the checkout itself: its mlflow would be imported
        (folder / "pytest.ini").write_text("[pytest]\n")
        _write_policy(folder)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "ORDINIS_"))}
        environment |= {
            "PYTHONPATH": str(HERE),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",  # or MLflow looks up example.com in the network
            "ORDINIS_HOME": str(folder),
            "GOV_POLICY_VERSION": policy,
            "ORDINIS_SUITE_STORE": store,
            "ORDINIS_SUITE_OUTCOMES": str(folder / "outcomes.json"),
        }
        if server is not None:
            environment["ORDINIS_SUITE_POSTGRES"] = server
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "stand_in",
            "-p",
            "no:randomly",
            "-p",
            "no:cacheprovider",
        ]
        command += ["-q", "--tb=short", "--show-capture=no", *(f"{FOLDER}/{name}" for name in FILES)]
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        sys.stdout.write(done.stdout[-100_000:] + done.stderr[-10_000:])
        found = json.loads((folder / "outcomes.json").read_text())
        assert len(found) >= LEAST, done.stdout[-3000:]
        return {name.removeprefix(f"{FOLDER}/"): outcome for name, outcome in found.items()}

    return outcomes


@pytest.fixture(scope="module")
def drifted(run):
    """The tests that MLflow's own store does not pass here."""
    return failures(run("mlflow"))


def _write_policy(folder):
    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    (folder / "policies").mkdir()
    (folder / "policies" / "nobody_v1.yaml").write_text(
        text.replace("policy_id: gov_v1", "policy_id: nobody_v1").replace('names: ["*"]', 'names: ["-"]')
    )


def failures(outcomes):
    return {name for name, outcome in outcomes.items() if outcome == "failed"}


def listed_exceptions():
    """Read the table of documented exceptions: test, reason."""
    rows = re.findall(
        r"^\| `(test_\S+::test_\S+)` \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def covered(outcomes, listed):
    """Return the tests that the listed names stand for: a name without parameters stands for all of them."""
    return {name for name in outcomes if name in listed or name.partition("[")[0] in listed}


@pytest.mark.slow
def test_under_a_policy_that_governs_none_the_whole_suite_passes(run, drifted):
    assert failures(run("ordinis", policy="nobody_v1")) - drifted == set()


@pytest.mark.slow
def test_under_the_default_policy_exactly_what_is_documented_fails(run, drifted):
    outcomes, listed = run("ordinis"), listed_exceptions()
    expected = covered(outcomes, listed) - drifted
    failed = failures(outcomes) - drifted
    assert sorted(failed - expected) == [], "fail, and are not in docs/mlflow-suite.md"
    assert sorted(expected - failed) == [], "pass, and are listed in docs/mlflow-suite.md"


def test_each_documented_exception_has_a_reason():
    listed = listed_exceptions()
    assert listed
    assert all(len(reason) > 20 for reason in listed.values())
    assert {name.partition("::")[0] for name in listed} <= set(FILES)


def test_a_name_without_parameters_stands_for_all_of_them():
    outcomes = {"f.py::test_a[x]": "failed", "f.py::test_a[y]": "passed", "f.py::test_ab": "failed"}
    assert covered(outcomes, {"f.py::test_a": ""}) == {"f.py::test_a[x]", "f.py::test_a[y]"}
    assert covered(outcomes, {"f.py::test_a[x]": ""}) == {"f.py::test_a[x]"}
