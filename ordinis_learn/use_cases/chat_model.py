"""Who answers, and who says what a refusal is, by the settings."""

from __future__ import annotations

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.evaluation.static_embeddings import load_similarity
from ordinis_learn.llm import ChatModel, EndpointConfig, Prices, open_chat_model
from ordinis_learn.settings import Settings

__all__ = ["chat_model", "refusal_detector"]


def chat_model(settings: Settings) -> ChatModel:
    """Open the endpoint, the recordings, or both; ConfigInvalid where neither is named."""
    prompt, completion = settings.learn_llm_price_prompt, settings.learn_llm_price_completion
    prices = None if prompt is None or completion is None else Prices(prompt=prompt, completion=completion)
    return open_chat_model(
        EndpointConfig(
            url=settings.learn_llm_url,
            api_key=settings.learn_llm_api_key.get_secret_value() if settings.learn_llm_api_key else None,
            timeout_s=settings.learn_llm_timeout_s,
            concurrency=settings.learn_llm_concurrency,
            requests_per_minute=settings.learn_llm_requests_per_minute,
            tokens_per_minute=settings.learn_llm_tokens_per_minute,
            prices=prices,
            cost_cap=settings.learn_llm_cost_cap,
            cassette=settings.learn_llm_cassette,
            cassette_mode=settings.learn_llm_cassette_mode,
        )
    )


def refusal_detector() -> RefusalDetector:
    """Judge by patterns, and by the meaning of prompt and answer where the extra ``llm`` is installed."""
    try:
        return RefusalDetector(load_similarity())
    except ConfigInvalid:
        return RefusalDetector()
