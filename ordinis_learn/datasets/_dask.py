"""Buckets on a Dask cluster.

Leaf module: importing it imports ``dask.distributed``, which the extra ``[dask]`` brings. Load it by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from distributed import Client, KilledWorker, LocalCluster

from ordinis_learn.datasets.execution import ATTEMPTS
from ordinis_learn.errors import StoreUnavailable

__all__ = ["OnDask"]

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class OnDask:
    """A cluster by the address of its scheduler, or one of this machine's own.

    A job whose worker died is given to another one, up to :data:`~ordinis_learn.datasets.execution.ATTEMPTS` times. All
    workers must see the same storage under the same names, and have this package installed.

    Parameters
    ----------
    address : str, optional
        ``tcp://host:8786``; where not given, ``workers`` processes are started on the loopback interface.
    workers : int
        Only without an address: how many processes, one thread each.
    timeout_s : float
        How long to wait for the scheduler.
    """

    def __init__(self, address: str | None = None, *, workers: int = 2, timeout_s: float = 10.0) -> None:
        self._cluster = None if address else _local(workers)
        try:
            self._client: Any = Client(address or self._cluster, timeout=timeout_s, set_as_default=False)
        except OSError as error:
            raise StoreUnavailable(
                f"reach the Dask scheduler at {address}",
                found=str(error),
                next_step="start it with: dask scheduler; or unset LEARN_DASK_SCHEDULER to work on this machine",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def client(self) -> Any:
        """The connection, for whoever wants to look at the workers."""
        return self._client

    def run(self, work: Callable[[Job], Answer], jobs: Sequence[Job]) -> list[Answer]:
        """Return every job's answer, in order.

        Raises
        ------
        StoreUnavailable
            Workers died in each of the attempts at one job.
        """
        futures = self._client.map(work, jobs, pure=False, retries=ATTEMPTS - 1)
        try:
            answers: list[Answer] = self._client.gather(futures)
        except KilledWorker as error:
            raise StoreUnavailable(
                f"work on {len(jobs)} buckets on {self._client.scheduler.address}",
                found=str(error),
                next_step="read the workers' logs for the out-of-memory killer; give workers more memory",
            ) from error
        return answers

    def close(self) -> None:
        """Leave the cluster; stop it if it is our own."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _local(workers: int) -> Any:
    return LocalCluster(
        n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=40
    )
