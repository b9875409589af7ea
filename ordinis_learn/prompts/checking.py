"""What must hold inside a pack beyond its shape: templates, schemas and examples fit together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from ordinis_learn.answers import OutputSchema
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.prompts.pack import PromptPack, PromptTask
from ordinis_learn.prompts.plain_values import unplain_value
from ordinis_learn.prompts.template import template_variables

__all__ = ["check_pack"]


def check_pack(pack: PromptPack) -> PromptPack:
    """Return the pack; raise ConfigInvalid with the first thing that does not fit, by task."""
    about = {"description": pack.description, **pack.safety.model_dump(), **pack.parameters.model_dump()}
    if fault := unplain_value(about):
        raise ConfigInvalid(
            "use the prompt pack",
            found=fault,
            next_step="correct the pack; ordinis-learn prompts check tries it",
        )
    for name, task in pack.tasks.items():
        # What is no plain JSON is told first, before anything walks through it.
        for fault in filter(None, chain((_unplain(task),), _faults(task))):
            raise ConfigInvalid(
                f"use the prompt pack's task {name!r}",
                found=fault,
                next_step="correct the pack; docs/prompt-packs.md has the format, ordinis-learn prompts check tries it",
                task=name,
            )
    return pack


def _faults(task: PromptTask) -> Iterator[str]:
    declared = set(task.variables)
    if len(declared) != len(task.variables):
        yield "a variable is declared twice"
    try:
        used, in_system = set(template_variables(task.user)), template_variables(task.system)
    except ValueError as error:
        yield f"a template has {error}"
        return
    if in_system:
        yield f"the system template takes variables ({', '.join(in_system)}): what users write belongs into the user template"
    if undeclared := sorted(used - declared):
        yield f"the user template uses {', '.join(undeclared)}, which is not declared"
    if unused := sorted(declared - used):
        yield f"{', '.join(unused)} is declared and not used in the user template"
    if task.output_schema.get("type") != "object":
        yield "the output schema does not say that the answer is an object ('type': 'object')"
    schema = OutputSchema(task.output_schema)
    for number, example in enumerate(task.examples, start=1):
        if set(example.variables) != declared:
            yield f"example {number} gives {sorted(example.variables)}, declared are {sorted(declared)}"
        if not schema.accepts(example.output):
            yield f"the output of example {number} does not keep to the output schema"


def _unplain(task: PromptTask) -> str:
    """Return what in a task is no plain JSON, with its place; empty where all is."""
    parts = {"system": task.system, "user": task.user, "output_schema": task.output_schema}
    for number, example in enumerate(task.examples, start=1):
        parts |= {
            f"example {number} variables": example.variables,
            f"example {number} output": example.output,
        }
    found = ((name, unplain_value(part)) for name, part in parts.items())
    return next((f"{name}: {fault}" for name, fault in found if fault), "")
