"""What a user installs: one list of dependencies, a plugin that is found, imports that stay light."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_conda_and_pyproject_list_the_same_dependencies():
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text(encoding="utf-8"))
    [section] = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    assert sorted(section) == sorted(_pyproject()["project"]["dependencies"])


def test_the_first_install_has_neither_torch_nor_dask_nor_a_broker():
    heavy = ("torch", "dask", "nats", "faststream", "redis", "kafka")
    listed = _pyproject()["project"]["dependencies"]
    assert [line for line in listed if line.startswith(heavy)] == []


def test_mlproject_points_to_conda_yaml_and_types_every_parameter():
    project = yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))
    assert project["conda_env"] == "conda.yaml"
    kinds = {
        parameter["type"]
        for entry in project["entry_points"].values()
        for parameter in entry["parameters"].values()
    }
    assert kinds <= {"string", "float", "path", "uri"}
    assert {"main", "train", "tune", "evaluate", "drift"} <= set(project["entry_points"])


def test_registry_entry_points_are_installed():
    names = {point.name for point in metadata.entry_points(group="mlflow.model_registry_store")}
    assert {"ordinis+sqlite", "ordinis+postgresql"} <= names


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import ordinis_learn", ("mlflow", "pydantic", "pyarrow", "numpy")),
        ("import ordinis_learn.cli", ("mlflow", "pydantic", "pyarrow", "numpy", "rich")),
        (
            "import ordinis_learn.engine",
            ("mlflow", "great_expectations", "xgboost", "matplotlib", "optuna", "torch"),
        ),
        ("import ordinis_mlflow.entry_points", ("mlflow", "sqlalchemy")),
    ],
)
def test_imports_stay_light(statement, forbidden):
    code = f"{statement}\nimport sys\nprint([name for name in {forbidden!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
