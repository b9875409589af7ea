"""How many tokens a request can take at most, before anybody has counted."""

from __future__ import annotations

from typing import Final

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.llm.port import ChatRequest

__all__ = ["most_tokens"]

_PER_MESSAGE: Final = 16
"""Role and separators of a turn; chat templates in use take four to eight tokens."""


def most_tokens(request: ChatRequest) -> tuple[int, int]:
    """Return upper bounds of a request's prompt and completion tokens.

    A token of a byte-level vocabulary stands for at least one byte of UTF-8, so a prompt has no more tokens than
    bytes, plus what surrounds each turn. English takes about a quarter of that.

    Raises
    ------
    ConfigInvalid
        The request does not bound its completion.

    Examples
    --------
    >>> most_tokens(ChatRequest(model="m", messages=[{"role": "user", "content": "Why?"}], max_tokens=50))
    (20, 50)
    """
    if request.max_tokens is None:
        raise ConfigInvalid(
            f"ask {request.model} within limits",
            found="the request does not bound its completion",
            next_step="set max_tokens in the prompt pack's parameters",
        )
    prompt = sum(len(message.content.encode()) + _PER_MESSAGE for message in request.messages)
    return prompt, request.max_tokens
