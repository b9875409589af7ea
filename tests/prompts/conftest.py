from importlib import resources
from pathlib import Path

import pytest
import yaml

from ordinis_learn.prompts import read_pack_file

CORTEX = Path(str(resources.files("ordinis_learn.prompts") / "cortex.yaml"))


@pytest.fixture(scope="session")
def cortex():
    return read_pack_file(CORTEX)


@pytest.fixture
def values():
    """The worked example as plain values, to be broken."""
    return yaml.safe_load(CORTEX.read_text(encoding="utf-8"))


@pytest.fixture
def written(tmp_path):
    def write(values):
        path = tmp_path / "pack.yaml"
        path.write_text(values if isinstance(values, str) else yaml.safe_dump(values), encoding="utf-8")
        return path

    return write
