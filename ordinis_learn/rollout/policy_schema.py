"""The JSON Schema of a policy file, as people write it: rules by name, settings by reference."""

from __future__ import annotations

from typing import Any

from ordinis_learn.rollout.policy import SETTINGS, Policy
from ordinis_learn.rollout.rules import RULES

__all__ = ["policy_file_schema"]


def policy_file_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) that editors check a policy's YAML by.

    It is a little wider than the loader, which also refuses rules named twice, unknown combinations, and a policy
    by which a model could become ACTIVE without an approval: ``ordinis-learn policy check`` has the last word.
    """
    schema = Policy.model_json_schema()
    definitions = schema["$defs"]
    definitions["SettingReference"] = {
        "type": "object",
        "properties": {"setting": {"enum": sorted(SETTINGS)}},
        "required": ["setting"],
        "additionalProperties": False,
    }
    definitions["RuleSpec"] = {"anyOf": [{"enum": sorted(RULES)}, *map(_rule, sorted(RULES))]}
    for name in RULES:
        definitions.update(RULES[name].params.model_json_schema().get("$defs", {}))
    properties = schema["properties"]
    del properties["source_sha256"]  # computed, never written
    properties["packs"] = _or_setting(properties["packs"])
    return schema


def _rule(name: str) -> dict[str, Any]:
    params = {key: value for key, value in RULES[name].params.model_json_schema().items() if key != "$defs"}
    params["properties"] = {key: _or_setting(value) for key, value in params.get("properties", {}).items()}
    return {
        "type": "object",
        "properties": {name: params},
        "required": [name],
        "additionalProperties": False,
    }


def _or_setting(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"$ref": "#/$defs/SettingReference"}]}
