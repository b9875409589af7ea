"""From a task and its variables to the messages that a model is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.llm import ChatMessage, ChatRequest
from ordinis_learn.prompts.pack import PromptPack, PromptTask, SafetyProfile
from ordinis_learn.prompts.template import fill_template
from ordinis_learn.records import canonical_json

__all__ = ["chat_request", "render"]


def render(pack: PromptPack, task: str, variables: Mapping[str, str]) -> tuple[ChatMessage, ...]:
    """Return the messages: system with schema and safety profile, the examples as turns, and what is asked.

    The same pack, task and variables give the same messages.

    Raises
    ------
    ConfigInvalid
        The pack has no such task, or a variable is missing or one too many.
    """
    asked = pack.tasks.get(task)
    if asked is None:
        raise ConfigInvalid(
            f"render the task {task!r}",
            found=f"the pack has {', '.join(sorted(pack.tasks))}",
            next_step="name one of them",
        )
    _check_variables(task, asked, variables)
    turns = [ChatMessage(role="system", content=_system(asked, pack.safety))]
    for example in asked.examples:
        turns += [
            ChatMessage(role="user", content=fill_template(asked.user, example.variables)),
            ChatMessage(role="assistant", content=canonical_json(example.output).decode()),
        ]
    return (*turns, ChatMessage(role="user", content=fill_template(asked.user, variables)))


def chat_request(pack: PromptPack, task: str, variables: Mapping[str, str]) -> ChatRequest:
    """Return the whole request, with the pack's model and parameters."""
    return ChatRequest(messages=render(pack, task, variables), **pack.parameters.model_dump())


def _check_variables(name: str, task: PromptTask, variables: Mapping[str, str]) -> None:
    missing, extra = (
        sorted(set(task.variables) - set(variables)),
        sorted(set(variables) - set(task.variables)),
    )
    wrong = sorted(key for key, value in variables.items() if not isinstance(value, str))
    if missing or extra or wrong:
        found = "; ".join(
            f"{what}: {', '.join(names)}"
            for what, names in (("missing", missing), ("not declared", extra), ("no text", wrong))
            if names
        )
        raise ConfigInvalid(
            f"render the task {name!r}", found=found, next_step=f"give {', '.join(task.variables)} as texts"
        )


def _system(task: PromptTask, safety: SafetyProfile) -> str:
    schema = json.dumps(task.output_schema, sort_keys=True, separators=(",", ":"))
    lines = [task.system.rstrip(), "", f"Answer with one JSON object that keeps to this schema: {schema}"]
    if safety.cite == "required" and "claims" in task.output_schema.get("properties", {}):
        lines.append(
            "Every claim cites a supplied document by doc_id and locator; what you cannot cite is an uncertainty."
        )
    if safety.decline:
        lines.append('Decline with {"refusal": "<reason>"} when asked about: ' + "; ".join(safety.decline))
    if safety.never:
        lines.append("Never: " + "; ".join(safety.never))
    return "\n".join(lines)
