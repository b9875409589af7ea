"""Try a training again where its error says that this may help."""

from __future__ import annotations

from collections.abc import Callable

from ordinis_learn.errors import LearnError
from ordinis_learn.records import ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["with_retries"]


def with_retries(
    bench: Workbench, attempt: Callable[[], ModelArtifact], *, sleep: Callable[[float], None]
) -> ModelArtifact:
    """Attempt once, and after a ``retryable`` error ``LEARN_TRAIN_RETRIES`` times more, waiting twice as long each time.

    ``sleep`` waits, in seconds. What fails otherwise, or for the last time, is passed on.
    """
    for number in range(bench.settings.learn_train_retries):
        try:
            return attempt()
        except LearnError as error:
            if not error.retryable:
                raise
        sleep(bench.settings.learn_train_retry_wait_s * 2**number)
    return attempt()
