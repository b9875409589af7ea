"""Post an alert over HTTP. The address is a secret: whoever knows that of a chat program may write there."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from ordinis_learn.errors import AlertUndelivered

__all__ = ["HttpNotifier"]

_MOST_WAIT_S: Final = 3600.0
_SCHEMES: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class HttpNotifier:
    """The adapter of :class:`ordinis_learn.ports.Notifier` over HTTP. Threads may share it.

    A message is delivered when the receiver answers with a status of the two hundreds. Proxies are not used, and redirects are
    not followed: an alert goes to the address that was configured, or nowhere.

    Parameters
    ----------
    timeout_s : float
        For the whole exchange, from the look-up of the name to the end of the answer's headers.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def __call__(self, body: Mapping[str, Any], *, url: str, idempotency_key: str) -> None:
        """Post a message once.

        Raises
        ------
        AlertUndelivered
            No connection, no answer in time, or another status. The address is not in it.
        """
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key,
            "User-Agent": "ordinis-learn",
        }
        try:
            status, wait = self._post(url, json.dumps(dict(body)).encode(), headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The text of these may hold the address; the class alone is told, and nothing is chained.
            raise _undelivered(f"no answer ({type(error).__name__})", None) from None
        if not http.client.OK <= status < http.client.MULTIPLE_CHOICES:
            raise _undelivered(f"the receiver answered {status}", _seconds(wait))

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        """Return status and ``Retry-After``; TimeoutError where they are not there in time.

        A socket's timeout begins anew with every byte, so a receiver that drips its headers would hold the watch, and with it every
        escalation, for as long as it likes: the exchange has a thread of its own, which is waited for once.
        """
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError(parts.scheme)
        connection = _SCHEMES[parts.scheme](parts.hostname, parts.port, timeout=self._timeout_s)
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        answer: Future[tuple[int, str | None]] = Future()

        def exchange() -> None:
            try:
                connection.request("POST", target, body=body, headers=dict(headers))
                answered = connection.getresponse()
                answer.set_result((answered.status, answered.headers.get("Retry-After")))
            except Exception as error:  # noqa: BLE001  raised again where it is waited for
                answer.set_exception(error)
            finally:
                connection.close()

        threading.Thread(target=exchange, name="ordinis-alert", daemon=True).start()
        try:
            return answer.result(self._timeout_s)
        finally:
            _cut(connection)


def _cut(connection: http.client.HTTPConnection) -> None:
    """Let whoever still waits on a connection wait no longer; closed already, nothing happens."""
    held = connection.sock
    if held is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


def _undelivered(found: str, wait: float | None) -> AlertUndelivered:
    more = {} if wait is None else {"retry_after_s": wait}
    return AlertUndelivered(
        "post an alert",
        found=found,
        next_step="see that LEARN_ALERT_URL is right and its receiver up; it is tried again by itself",
        **more,
    )


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else min(max(float(header), 0.0), _MOST_WAIT_S)
    except ValueError:
        return None  # a date: our own pause is as good
