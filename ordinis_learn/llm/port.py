"""What LEARN needs of a language model: one question, one answer.

Contract
--------
``complete`` sends one request and returns the answer of the model, or raises. Threads may share a model. Nothing is
assumed about determinism: asking again may give another answer, which is why the first recorded one counts.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import Field, NonNegativeInt, PositiveInt

from ordinis_learn.records import Record, hash_of

__all__ = ["ChatAnswer", "ChatMessage", "ChatModel", "ChatRequest"]


class ChatMessage(Record):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(Record):
    """What is asked of a model, and how. None leaves a parameter to the server."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[tuple[ChatMessage, ...], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: PositiveInt | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def request_hash(self) -> str:
        """Return the hash that ``ordinis.ai.response`` carries: SHA-256 over the request's RFC 8785 bytes.

        The domain in front is ``ordinis.llm.request.v1`` and a zero byte; parameters that are None or empty are
        left out. Whoever answers the same request can compute the same hash.

        Examples
        --------
        >>> asked = ChatRequest(model="m", messages=[{"role": "user", "content": "Why?"}], temperature=0)
        >>> asked.request_hash() == asked.model_copy(update={"seed": None}).request_hash()
        True
        """
        return hash_of(self.body(), domain="ordinis.llm.request.v1")

    def body(self) -> dict[str, object]:
        """Return the request as ``/v1/chat/completions`` takes it."""
        values = self.to_json()
        return {name: value for name, value in values.items() if value not in (None, [])}


class ChatAnswer(Record):
    """What a model said. ``finish_reason`` is the server's word, such as stop, length or content_filter.

    Token counts are None where the server did not say. ``refusal`` is its own word for having declined.
    """

    text: str
    model: str
    finish_reason: str = ""
    refusal: str = ""
    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None
    latency_ms: Annotated[float, Field(ge=0)]


class ChatModel(Protocol):
    """A language model that answers conversations."""

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer one request; LlmUnavailable, LlmRejected or CostCapReached where there is no answer."""
        ...
