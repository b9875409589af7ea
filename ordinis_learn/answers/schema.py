"""Does an answer keep to the output schema of its task: JSON Schema, draft 2020-12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from ordinis_learn.errors import ConfigInvalid

__all__ = ["OutputSchema"]


class OutputSchema:
    """One task's output schema. Threads may share it. References outside of it are not looked up.

    Parameters
    ----------
    schema : mapping
        A JSON Schema; a reference to another document makes :meth:`accepts` fail.

    Raises
    ------
    ConfigInvalid
        It is no JSON Schema.

    Examples
    --------
    >>> schema = OutputSchema({"type": "object", "required": ["claims"]})
    >>> schema.accepts({"claims": []}), schema.accepts({})
    (True, False)
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ConfigInvalid(
                "hold answers against their output schema",
                found=f"{error.json_path}: {error.message}",
                next_step="correct the schema; it must be a JSON Schema, draft 2020-12",
            ) from error
        # Without a registry of its own the library fetches references from the network.
        self._validator = Draft202012Validator(schema, registry=Registry())

    def accepts(self, value: Any) -> bool:
        """Say whether a value keeps to the schema; one too deep to be checked does not."""
        try:
            return bool(self._validator.is_valid(value))
        except RecursionError:
            return False
        except Unresolvable as error:
            raise ConfigInvalid(
                "hold answers against their output schema",
                found=f"it refers to {error.ref!r}, which is not in it",
                next_step="write what it refers to under $defs of the same schema",
            ) from error
