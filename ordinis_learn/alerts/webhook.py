"""Post an alert over HTTP. The address is a secret: whoever knows that of a chat program may write there."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from ordinis_learn.errors import AlertUndelivered

__all__ = ["HttpNotifier"]

_MOST_WAIT_S: Final = 3600.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Turns a redirect into an error: an alert goes to the address that was configured, or nowhere."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Follow nothing."""


class HttpNotifier:
    """The adapter of :class:`ordinis_learn.ports.Notifier` over HTTP. Threads may share it.

    A message is delivered when the receiver answers with a status of the two hundreds. Proxies are not used.

    Parameters
    ----------
    timeout_s : float
        For connecting, and for each wait for bytes after that.
    """

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._opener = _opener()

    def __call__(self, body: Mapping[str, Any], *, url: str, idempotency_key: str) -> None:
        """Post a message once.

        Raises
        ------
        AlertUndelivered
            No connection, no answer in time, or another status. The address is not in it.
        """
        headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
        try:
            request = urllib.request.Request(  # noqa: S310  this opener knows http and https alone
                url, data=json.dumps(dict(body)).encode(), headers=headers
            )
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            with error:
                wait = _seconds(error.headers.get("Retry-After"))
            raise _undelivered(f"the receiver answered {error.code}", wait) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The text of these may hold the address; the class alone is told, and nothing is chained.
            reason = getattr(error, "reason", None)
            name = type(reason if isinstance(reason, Exception) else error).__name__
            raise _undelivered(f"no answer ({name})", None) from None


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _NoRedirects(),
    ):
        opener.add_handler(handler)
    return opener


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
