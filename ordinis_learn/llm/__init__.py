"""Language models behind an OpenAI-compatible endpoint: asked within limits, recorded, replayed."""

from ordinis_learn.llm.asking import ask_all
from ordinis_learn.llm.cassette import CASSETTE_MODES, Cassette
from ordinis_learn.llm.cost import CostCapped, Prices
from ordinis_learn.llm.opening import EndpointConfig, open_chat_model
from ordinis_learn.llm.port import ChatAnswer, ChatMessage, ChatModel, ChatRequest
from ordinis_learn.llm.rate_limit import RateLimited
from ordinis_learn.llm.retry import Retrying
from ordinis_learn.llm.tokens import most_tokens

__all__ = [
    "CASSETTE_MODES",
    "Cassette",
    "ChatAnswer",
    "ChatMessage",
    "ChatModel",
    "ChatRequest",
    "CostCapped",
    "EndpointConfig",
    "Prices",
    "RateLimited",
    "Retrying",
    "ask_all",
    "most_tokens",
    "open_chat_model",
]
