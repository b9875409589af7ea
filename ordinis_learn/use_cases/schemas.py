"""JSON Schemas of everything that crosses a boundary."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from ordinis_learn import records
from ordinis_learn.prompts import PromptPack
from ordinis_learn.records import Record
from ordinis_learn.rollout.policy_schema import policy_file_schema
from ordinis_learn.settings import Settings
from ordinis_learn.training import EmbedConfig, TrainConfig

__all__ = ["json_schemas"]


def json_schemas() -> dict[str, dict[str, Any]]:
    """Return a JSON Schema (draft 2020-12) per record class, by class name; ``Policy`` describes the YAML file."""
    exported = [getattr(records, name) for name in records.__all__]
    classes: list[type[BaseModel]] = [
        value for value in exported if isinstance(value, type) and issubclass(value, Record)
    ]
    classes += [EmbedConfig, PromptPack, TrainConfig, Settings]
    schemas = {entry.__name__: entry.model_json_schema() for entry in classes}
    schemas["Policy"] = policy_file_schema()
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {name: {"$schema": dialect} | schema for name, schema in sorted(schemas.items())}
