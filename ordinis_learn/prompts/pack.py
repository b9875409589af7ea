"""What a prompt pack holds. The format is written down in docs/prompt-packs.md."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, PositiveInt

from ordinis_learn.records import Record
from ordinis_learn.records.base import Sha256

__all__ = [
    "PACK_FORMAT",
    "FewShotSearch",
    "ModelParameters",
    "PromptExample",
    "PromptPack",
    "PromptTask",
    "SafetyProfile",
]

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


class FewShotSearch(Record):
    """How the examples of a task were chosen; ``seen`` marks the questions tuned on, by which the pack is not judged.

    ``chosen`` numbers the ``candidates`` from 1, in the order shown. ``score`` is the mean over the ``items`` tuned on, so it flatters.
    """

    task: TaskName
    questions: str
    items_sha256: Sha256
    seed: int
    trials: PositiveInt
    candidates: PositiveInt
    chosen: tuple[PositiveInt, ...]
    score: Annotated[float, Field(ge=0, le=1)]
    items: PositiveInt
    seen: tuple[Sha256, ...]


class PromptPack(Record):
    """A pack. Its content hash is its identity: a changed comma is another pack.

    ``tuning`` is written by ``ordinis-learn prompts tune``, and left out where there was none.
    """

    format: Literal["ordinis.prompt_pack/1"] = PACK_FORMAT
    description: str = ""
    tasks: dict[TaskName, PromptTask] = Field(min_length=1, max_length=64)
    safety: SafetyProfile = SafetyProfile()
    parameters: ModelParameters
    tuning: Annotated[FewShotSearch | None, Field(exclude_if=lambda value: value is None)] = None
