"""A pack's task as a chat template of MLflow's prompt registry.

MLflow stands ``{{ name }}`` for a variable as packs do, but in every message, and runs what stands between ``{%`` and ``%}`` as
a program. A pack whose messages hold either where they should not would read differently there: it is refused.
"""

from __future__ import annotations

import json
import re
from typing import Final

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.prompts.pack import PromptPack
from ordinis_learn.prompts.rendering import render

__all__ = ["chat_template", "check_templates"]

_VARIABLE: Final = re.compile(r"\{\{\s*[a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*)*\s*\}\}")
"""As in ``mlflow.prompt.constants``; a test compares what both make of one template."""
_MOST_CHARACTERS: Final = 100_000
"""What MLflow takes as the value of a tag, and a prompt's text is one."""


def chat_template(pack: PromptPack, task: str) -> list[dict[str, str]]:
    """Return a task's messages with its variables left as ``{{name}}``; filling them gives what :func:`render` gives.

    Raises
    ------
    ConfigInvalid
        The pack has no such task, or its messages would be read differently by MLflow.
    """
    variables = {
        name: f"{{{{{name}}}}}" for name in (pack.tasks[task].variables if task in pack.tasks else ())
    }
    messages = [turn.to_json() for turn in render(pack, task, variables)]
    fault = _fault(messages)
    if fault:
        raise ConfigInvalid(
            f"link the task {task!r} to MLflow's prompt registry",
            found=fault,
            next_step="say it in other words in the pack; what variables hold is not concerned",
            task=task,
        )
    return messages


def check_templates(pack: PromptPack) -> None:
    """See that every task of a pack can be linked; ConfigInvalid with the first that cannot."""
    for task in pack.tasks:
        chat_template(pack, task)


def _fault(messages: list[dict[str, str]]) -> str:
    for message in messages:
        if "{%" in message["content"] and "%}" in message["content"]:
            return f"a {message['role']} message holds {{% … %}}, which MLflow would run as a program"
    for message in messages[:-1]:
        if found := _VARIABLE.search(message["content"]):
            return f"a {message['role']} message before the last holds {found[0]}, which MLflow would fill"
    size = len(json.dumps(messages))
    if size > _MOST_CHARACTERS:
        return f"{size:,} characters with its examples, MLflow holds {_MOST_CHARACTERS:,}"
    return ""
