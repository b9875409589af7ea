"""A training configuration in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ordinis_learn.errors import ConfigInvalid

__all__ = ["read_config_file"]


def read_config_file(path: Path) -> dict[str, Any]:
    """Read YAML (JSON is YAML too) with one field a key; what the fields mean is not asked here.

    Raises
    ------
    ConfigInvalid
        The file cannot be read, or is something else.
    """
    asked = f"read the training configuration {path}"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = " ".join(str(error).split())
        raise ConfigInvalid(asked, found=found, next_step="give a YAML file that can be read") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigInvalid(
            asked,
            found=f"a {type(values).__name__} where fields are expected",
            next_step="write one field a line, e.g. name: finder; docs/models.md has examples",
        )
    return values
