"""What a prompt pack holds. The format is written down in docs/prompt-packs.md."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveInt

from ordinis_learn.records import Record

__all__ = ["PACK_FORMAT", "ModelParameters", "PromptExample", "PromptPack", "PromptTask", "SafetyProfile"]

PACK_FORMAT: Final = "ordinis.prompt_pack/1"

TaskName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
VariableName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_Text = Annotated[str, Field(min_length=1, max_length=100_000)]


class PromptExample(Record):
    """One worked example: what is asked, and the output that it should get."""

    variables: dict[VariableName, str]
    output: dict[str, Any]


class PromptTask(Record):
    """One task.

    Attributes
    ----------
    system, user : str
        Templates; ``{{name}}`` stands for a variable. ``system`` takes none.
    variables : tuple of str
        Those of ``user``: each must be given, and no other.
    output_schema : dict
        JSON Schema, draft 2020-12, of the object that the model answers with.
    examples : tuple of PromptExample
        Shown as earlier turns, in this order.
    """

    system: _Text
    user: _Text
    variables: tuple[VariableName, ...] = Field(min_length=1)
    output_schema: dict[str, Any]
    examples: tuple[PromptExample, ...] = Field((), max_length=32)


class SafetyProfile(Record):
    """What the model must not do; written at the end of every system message.

    ``decline`` names subjects that it answers with a refusal, ``never`` statements that it does not make, and
    ``cite`` whether each claim needs a citation of a supplied
    document, in tasks whose output has ``claims``.
    """

    decline: tuple[_Text, ...] = ()
    never: tuple[_Text, ...] = ()
    cite: Literal["required", "optional"] = "optional"


class ModelParameters(Record):
    """Which model is asked, and how. None leaves a parameter to the server."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: PositiveInt = 1024
    seed: int | None = None
    stop: tuple[str, ...] = Field((), max_length=4)


class PromptPack(Record):
    """A pack. Its content hash is its identity: a changed comma is another pack."""

    format: Literal["ordinis.prompt_pack/1"] = PACK_FORMAT
    description: str = ""
    tasks: dict[TaskName, PromptTask] = Field(min_length=1, max_length=64)
    safety: SafetyProfile = SafetyProfile()
    parameters: ModelParameters
