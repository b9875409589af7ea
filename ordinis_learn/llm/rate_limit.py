"""Keep under an endpoint's limits of requests and tokens per minute."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ordinis_learn.llm.port import ChatAnswer, ChatModel, ChatRequest
from ordinis_learn.llm.tokens import most_tokens

__all__ = ["RateLimited"]


class _Bucket:
    """An allowance per minute that refills steadily and may run into debt, which is waited for."""

    def __init__(self, per_minute: float, *, now: float) -> None:
        self._per_second = per_minute / 60.0
        self._most = max(per_minute / 60.0, 1.0)
        self._left = self._most
        self._at = now

    def take(self, amount: float, *, now: float) -> float:
        """Take an amount; return how many seconds to wait until it is paid for."""
        self._left = min(self._left + (now - self._at) * self._per_second, self._most) - amount
        self._at = now
        return max(-self._left / self._per_second, 0.0)

    def give_back(self, amount: float) -> None:
        self._left = min(self._left + amount, self._most)


class RateLimited:
    """A model that is asked no faster than allowed. Threads share the allowance.

    A second's worth may be used at once. Tokens are taken at their upper bound, and what the answer did not use is
    given back.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute : float, optional
        None means no limit.
    monotonic, sleep : callable
        Seconds of a clock that never goes back, and waiting.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self._model = model
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        now = monotonic()
        self._requests = _Bucket(requests_per_minute, now=now) if requests_per_minute else None
        self._tokens = _Bucket(tokens_per_minute, now=now) if tokens_per_minute else None

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Wait for the allowance, then ask."""
        reserved = sum(most_tokens(request)) if self._tokens else 0
        with self._lock:
            now = self._monotonic()
            waits = [
                bucket.take(amount, now=now)
                for bucket, amount in ((self._requests, 1.0), (self._tokens, reserved))
                if bucket
            ]
        if any(waits):
            self._sleep(max(waits))
        answer = self._model.complete(request)
        if self._tokens and answer.prompt_tokens is not None and answer.completion_tokens is not None:
            with self._lock:
                self._tokens.give_back(max(reserved - answer.prompt_tokens - answer.completion_tokens, 0))
        return answer
