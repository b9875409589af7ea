"""Ask again when the endpoint could not answer: waiting longer each time, and as long as it says."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from ordinis_learn.errors import LlmUnavailable
from ordinis_learn.llm.port import ChatAnswer, ChatModel, ChatRequest

__all__ = ["Retrying"]

_LONGEST_WAIT_S: Final = 120.0
"""A server that wants more is down for this evaluation; waiting on would look like hanging."""


class Retrying:
    """A model that is asked again while it is unavailable.

    The wait before attempt n is drawn from (0, base · 2ⁿ], at most ``most_s`` ("full jitter", Brooker 2015, *Exponential
    Backoff and Jitter*, AWS Architecture Blog), and never shorter than the server's ``Retry-After``.

    Parameters
    ----------
    attempts : int
        Including the first one.
    sleep : callable
        Waits that many seconds.
    rng : random.Random
        Spreads the waits of many clients.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        sleep: Callable[[float], None],
        rng: random.Random,
        attempts: int = 6,
        base_s: float = 0.5,
        most_s: float = 30.0,
    ) -> None:
        self._model = model
        self._sleep = sleep
        self._rng = rng
        self._attempts = attempts
        self._base_s = base_s
        self._most_s = most_s
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer, or raise what the last attempt raised."""
        attempt = 0
        while True:
            try:
                return self._model.complete(request)
            except LlmUnavailable as error:
                attempt += 1
                wanted = float(error.data.get("retry_after_s") or 0.0)
                if attempt >= self._attempts or wanted > _LONGEST_WAIT_S:
                    raise
                self._sleep(max(self._drawn(attempt), wanted))

    def _drawn(self, attempt: int) -> float:
        with self._lock:  # a Random shared by threads may repeat itself
            return min(self._base_s * 2.0**attempt, self._most_s) * (1.0 - self._rng.random())
