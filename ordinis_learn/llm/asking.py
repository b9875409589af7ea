"""Ask a model many things at once, a bounded number at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from ordinis_learn.errors import LlmRejected
from ordinis_learn.llm.port import ChatAnswer, ChatModel, ChatRequest

__all__ = ["ask_all"]


def ask_all(
    model: ChatModel,
    requests: Sequence[ChatRequest],
    *,
    concurrency: int,
    keep: Callable[[ChatRequest, ChatAnswer | LlmRejected], None],
) -> None:
    """Ask every request once; hand each answer to ``keep`` as it comes, in this thread.

    A request that the endpoint rejects is kept as such. Any other error stops the rest: what is under way is
    still waited for and kept, then the error is raised.

    Parameters
    ----------
    concurrency : int
        How many requests are under way at most.
    """
    failure: BaseException | None = None
    stopped = threading.Event()

    def ask(request: ChatRequest) -> ChatAnswer | None:
        if stopped.is_set():
            return None
        try:
            return model.complete(request)
        except LlmRejected:
            raise
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="ordinis-llm") as pool:
        pending: dict[Future[ChatAnswer | None], ChatRequest] = {
            pool.submit(ask, request): request for request in requests
        }
        for done in as_completed(pending):
            error = done.exception()
            answer = None if error else done.result()
            if answer is not None:
                keep(pending[done], answer)
            elif isinstance(error, LlmRejected):
                keep(pending[done], error)
            else:
                failure = failure or error
    if failure is not None:
        raise failure
