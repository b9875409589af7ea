"""Where buckets are worked on: in this process, in processes of this machine, or on a Dask cluster.

All three give back the same answers in the order of the jobs. A job may be started more than once, so it must do no
harm when done again, and its work and answer must survive pickling.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Protocol, TypeVar

from ordinis_learn.errors import StoreUnavailable

__all__ = ["ATTEMPTS", "Executor", "InProcesses", "InThreads"]

ATTEMPTS: Final = 3
"""How often a job is started before its worker's death counts as the job's fault."""

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
