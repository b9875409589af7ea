"""Where buckets are worked on: in this process, in processes of this machine, or on a Dask cluster.

All three give back the same answers in the order of the jobs. A job may be started more than once, so it must do no
harm when done again, and its work and answer must survive pickling.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable

__all__ = ["ATTEMPTS", "LOCAL_CLUSTER", "Executor", "InProcesses", "InThreads", "open_executor"]

ATTEMPTS: Final = 3
"""How often a job is started before its worker's death counts as the job's fault."""

LOCAL_CLUSTER: Final = "local"
"""In place of a scheduler's address: a Dask cluster of this machine's own."""

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class Executor(Protocol):
    """Runs jobs that do not depend on each other."""

    def run(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return every job's answer, in order; an error of a job is raised as it is."""
        ...


class InThreads:
    """Threads of this process: nothing to start and nothing to copy. The heavy steps let other threads run.

    Parameters
    ----------
    workers : int
        How many jobs are in memory at a time.
    """

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return every job's answer, in order."""
        if self._workers == 1 or len(jobs) == 1:
            return [work(job) for job in jobs]
        with ThreadPoolExecutor(self._workers) as pool:
            return list(pool.map(work, jobs))


class InProcesses:
    """Processes of this machine, started fresh; a killed one costs a retry of the jobs that were not answered.

    Parameters
    ----------
    workers : int
        How many processes, each with one job in memory at a time.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return every job's answer, in order.

        Raises
        ------
        StoreUnavailable
            Workers died in each of :data:`ATTEMPTS` attempts.
        """
        answers: dict[int, Answer] = {}
        for _ in range(ATTEMPTS):
            left = [number for number in range(len(jobs)) if number not in answers]
            if not left:
                break
            self._attempt(work, jobs, left=left, answers=answers)
        if len(answers) < len(jobs):
            raise StoreUnavailable(
                f"work on {len(jobs)} buckets in {self._workers} processes",
                found=f"worker processes died {ATTEMPTS} times; {len(jobs) - len(answers)} buckets are not done",
                next_step="look for the out-of-memory killer in the system log; use fewer workers",
            )
        return [answers[number] for number in range(len(jobs))]

    def _attempt(
        self,
        work: Callable[[Job], Answer],
        jobs: Sequence[Job],
        *,
        left: Sequence[int],
        answers: dict[int, Answer],
    ) -> None:
        """Add the answers of the jobs that are left, up to the death of a worker."""
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self._workers, len(left)), mp_context=context) as pool:
            futures = {number: pool.submit(work, jobs[number]) for number in left}
            for number, future in futures.items():
                try:
                    answers[number] = future.result()
                except BrokenProcessPool:
                    continue


@contextmanager
def open_executor(scheduler: str | None = None, *, workers: int | None = None) -> Iterator[Executor]:
    """Open what the settings ask for.

    Parameters
    ----------
    scheduler : str, optional
        The address of a Dask scheduler, or :data:`LOCAL_CLUSTER`; threads of this process where not given.
    workers : int, optional
        How many buckets are worked on at a time; one per core where not given. A cluster with an address has its own.

    Raises
    ------
    ConfigInvalid
        A scheduler is asked for, and Dask is not installed.
    StoreUnavailable
        The scheduler cannot be reached.
    """
    count = workers or os.cpu_count() or 1
    if scheduler is None:
        yield InThreads(count)
        return
    try:
        from ordinis_learn.datasets._dask import OnDask  # noqa: PLC0415  an extra, and slow to import
    except ImportError as error:
        raise ConfigInvalid(
            f"label buckets on the Dask scheduler {scheduler}",
            found=str(error),
            next_step="pip install 'ordinis-learn[dask]', or unset LEARN_DASK_SCHEDULER",
        ) from error
    with OnDask(None if scheduler == LOCAL_CLUSTER else scheduler, workers=count) as executor:
        yield executor
