"""One deadline over a whole transfer: looking the name up, connecting, headers and body.

Timeouts of ``requests`` are per address and per read, so a server that drips headers, or a name with many addresses, holds a
caller for ever. Here a thread transfers and the caller waits no longer than the deadline; then the connection is cut, which
ends the thread as well. What cannot be cut, looking a name up and connecting, ends by the resolver's and the socket's own
timeouts, with nobody waiting for it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TypeVar

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["CuttableAdapter", "NotConnectedInTime", "within"]

T = TypeVar("T")
_LOCK: Final = threading.Lock()
"""Over which transfer has a connection in hand: it goes back to its pool when the body is read."""
_HERE: Final = threading.local()


class NotConnectedInTime(TimeoutError):
    """The deadline passed before anything was sent."""


class _Transfer:
    """What a deadline needs to know of a transfer, and cuts."""

    def __init__(self) -> None:
        self.sending = False
        self._connection: _Cuttable | None = None
        self._over = False

    def takes(self, connection: _Cuttable) -> None:
        with _LOCK:
            if self._over:
                raise TimeoutError
            self._connection, connection.transfer = connection, self

    def cut(self) -> None:
        with _LOCK:
            self._over = True
            connection = self._connection
            # It may have been given back, and serve another transfer by now.
            if connection is None or connection.transfer is not self or connection.sock is None:
                return
            # Of the socket beneath TLS: its own way of ending would wait for the other side.
            with suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


class _Cuttable(HTTPConnection):
    transfer: _Transfer | None = None

    def connect(self) -> None:
        super().connect()
        self._taken()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._taken().sending = self.sock is not None
        super().request(*args, **kwargs)

    def _taken(self) -> _Transfer:
        transfer: _Transfer = _HERE.transfer
        transfer.takes(self)
        transfer.sending = self.sock is not None
        return transfer


class _CuttableTls(_Cuttable, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Cuttable


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _CuttableTls


_POOLS: Final = MappingProxyType({"http": _Pool, "https": _TlsPool})


class CuttableAdapter(HTTPAdapter):
    """Transfers of :func:`within` only; by a proxy of the environment too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager


def within(seconds: float, transfer: Callable[[], T]) -> T:
    """Return what a transfer over a :class:`CuttableAdapter` returns, or raise what it raises.

    Raises
    ------
    NotConnectedInTime
        The deadline passed and nothing was sent.
    TimeoutError
        The deadline passed; it may have been sent.
    """
    own, ended = _Transfer(), threading.Event()
    found: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        _HERE.transfer = own
        try:
            found.append(transfer())
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
            raised.append(error)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    in_time = False
    try:
        in_time = ended.wait(seconds)
    finally:
        # Also where the caller is interrupted. A connection that did its work is kept.
        if not in_time:
            own.cut()
    if not in_time:
        raise TimeoutError if own.sending else NotConnectedInTime
    if raised:
        raise raised[0]
    return found[0]
