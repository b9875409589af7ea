"""Many threads' writes in one transaction.

The first thread that comes does the work itself, in its own thread and at once; who comes meanwhile waits, and
the next commit takes all of them together. So a lone caller pays nothing for the grouping, and with many
callers the price of one sync to disk is shared. The scheme is that of database engines' group commit, with a
leader that serves one group and then hands over to one of those who wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

from ordinis_learn.errors import StoreUnavailable

__all__ = ["GroupCommit"]

_C = TypeVar("_C")

Work = Callable[[_C], Any]
"""What one caller wants done within a transaction."""


class _Ticket(Generic[_C]):
    """One caller's work, and what became of it."""

    __slots__ = ("done", "error", "latch", "promoted", "result", "work")

    def __init__(self, work: Work[_C]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.promoted = False
        self.latch = Lock()
        self.latch.acquire()


class GroupCommit(Generic[_C]):
    """Runs callers' work in shared transactions.

    Each caller gets the answer or the error of its own work. When a transaction fails, its members are run
    again one by one, each in a transaction of its own: one bad call does not fail the others. Work must
    therefore have no effect outside the transaction.

    Parameters
    ----------
    transact : callable
        Runs several works in one durable transaction and returns their results; leaves nothing behind when
        it raises.
    is_common : callable
        Whether an error would meet every member alike (the store is locked), so that trying again one by one
        only makes everybody wait.
    """

    def __init__(
        self,
        transact: Callable[[Sequence[Work[_C]]], list[Any]],
        *,
        is_common: Callable[[Exception], bool],
    ) -> None:
        self._transact = transact
        self._is_common = is_common
        self._lock = Lock()
        self._waiting: list[_Ticket[_C]] = []
        self._led = False

    def run(self, work: Work[_C]) -> Any:
        """Return the result of ``work`` once it is durable, or raise its error."""
        ticket = _Ticket(work)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if leads or self._is_promoted(ticket):
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.result

    def _is_promoted(self, ticket: _Ticket[_C]) -> bool:
        """Wait until the ticket was served, or is to lead the next group."""
        try:
            ticket.latch.acquire()
        except BaseException:
            self._leave(ticket)
            raise
        return not ticket.done

    def _lead(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            self._commit(group)
        finally:
            with self._lock:
                self._promote()
            for ticket in group:
                ticket.done = True
                ticket.latch.release()

    def _promote(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].promoted = True
            self._waiting[0].latch.release()

    def _leave(self, ticket: _Ticket[_C]) -> None:
        """Take an interrupted caller out of the queue, and let another one lead if it was its turn."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if ticket.promoted:
                    self._promote()

    def _commit(self, group: list[_Ticket[_C]]) -> None:
        try:
            results = self._transact([ticket.work for ticket in group])
        except Exception as error:  # noqa: BLE001  every caller raises its own
            if len(group) == 1 or self._is_common(error):
                _fail(group, error)
            else:
                for ticket in group:
                    self._commit([ticket])
        except BaseException:
            _fail(group, _interrupted())
            raise
        else:
            for ticket, result in zip(group, results, strict=True):
                ticket.result = result


def _fail(group: list[_Ticket[_C]], error: Exception) -> None:
    for ticket in group:
        ticket.error = error


def _interrupted() -> StoreUnavailable:
    return StoreUnavailable(
        "write to the event log together with another thread",
        found="that thread was interrupted before the commit",
        next_step="send the event again",
    )
