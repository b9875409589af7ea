"""Never spend more than was allowed: the dearest possible outcome of a request is set aside before it is sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ordinis_learn.errors import CostCapReached, LlmUnavailable
from ordinis_learn.llm.port import ChatAnswer, ChatModel, ChatRequest
from ordinis_learn.llm.tokens import most_tokens

__all__ = ["CostCapped", "Prices"]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices per million tokens, in the account currency."""

    prompt: float
    completion: float

    def of(self, *, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what that many tokens cost.

        Examples
        --------
        >>> Prices(prompt=2.0, completion=8.0).of(prompt_tokens=500_000, completion_tokens=250_000)
        3.0
        """
        return (prompt_tokens * self.prompt + completion_tokens * self.completion) / 1e6


class CostCapped:
    """A model that stops before it costs more than ``cap``. Threads share the cap.

    What the answer did not use is given back. Where the server does not say what was used, or an attempt broke off after it
    was sent, all that was set aside counts as spent: it may have been charged.

    Parameters
    ----------
    cap : float
        In the account currency, over the life of this object.
    """

    def __init__(self, model: ChatModel, *, prices: Prices, cap: float) -> None:
        self._model = model
        self._prices = prices
        self._cap = cap
        self._lock = threading.Lock()
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """What was spent, with what is set aside for requests under way."""
        with self._lock:
            return self._spent

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Ask, if the dearest answer still fits under the cap; CostCapReached where it does not."""
        prompt, completion = most_tokens(request)
        reserved = self._prices.of(prompt_tokens=prompt, completion_tokens=completion)
        self._reserve(reserved, request)
        cost = reserved
        try:
            answer = self._model.complete(request)
            if answer.prompt_tokens is not None and answer.completion_tokens is not None:
                cost = self._prices.of(
                    prompt_tokens=answer.prompt_tokens, completion_tokens=answer.completion_tokens
                )
        except LlmUnavailable as error:
            cost = reserved if error.data.get("charged", True) else 0.0
            raise
        finally:
            with self._lock:
                self._spent += cost - reserved
        return answer

    def _reserve(self, amount: float, request: ChatRequest) -> None:
        with self._lock:
            if self._spent + amount > self._cap:
                raise CostCapReached(
                    f"ask {request.model} within a cost of {self._cap:g}",
                    found=f"{self._spent:.6g} spent or set aside, the next request may cost {amount:.6g}",
                    next_step="raise LEARN_LLM_COST_CAP and type the command again: what was answered is kept",
                    spent=self._spent,
                    cap=self._cap,
                )
            self._spent += amount
