"""Ask a governance service over HTTP before a move; no usable answer is a no.

The request is a POST of one JSON object; the answer is ``{"decision": …, "reason": …}`` with a decision of
``allow``, ``warn``, ``modify``, ``defer`` or ``deny``. Redirects and proxies are not followed: the answer must come
from the address that was configured.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from ordinis_learn.ports import Preflight
from ordinis_learn.records import PreflightAnswer
from ordinis_learn.settings import Settings

__all__ = ["HttpPreflight", "open_preflight"]

_MOST_BYTES: Final = 1 << 16
_SAID: Final = frozenset({"allow", "warn", "modify", "defer", "deny"})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Turns a redirect into an error."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Follow nothing."""


class HttpPreflight:
    """The adapter of :class:`ordinis_learn.ports.Preflight` over HTTP. Threads may share it.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``; a user and password in it are not recorded.
    timeout_s : float
        For connecting, and for each wait for bytes after that.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        parts = urlsplit(url)
        self._source = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())

    def __call__(self, question: Mapping[str, Any]) -> PreflightAnswer:
        """Ask; whatever goes wrong is ``unreachable``."""
        try:
            body = json.dumps(dict(question)).encode()
            request = urllib.request.Request(  # noqa: S310  the settings admit http and https alone
                self._url, data=body, headers={"Content-Type": "application/json"}
            )
            with self._opener.open(request, timeout=self._timeout_s) as response:
                text = response.read(_MOST_BYTES + 1)
            if len(text) > _MOST_BYTES:
                return self._silent("the answer is too long")
            return self._read(json.loads(text))
        except (OSError, ValueError, http.client.HTTPException, RecursionError) as error:
            return self._silent(f"{type(error).__name__}: {error}")

    def _read(self, said: Any) -> PreflightAnswer:
        if not isinstance(said, dict) or said.get("decision") not in _SAID:
            return self._silent("the answer holds no decision of allow, warn, modify, defer or deny")
        try:
            return PreflightAnswer(
                answer=said["decision"], reason=said.get("reason", ""), source=self._source
            )
        except ValidationError:
            return self._silent("the answer's reason is not a text")

    def _silent(self, why: str) -> PreflightAnswer:
        return PreflightAnswer(answer="unreachable", reason=why, source=self._source)


def open_preflight(settings: Settings) -> Preflight | None:
    """Return the service the settings name, None where they name none."""
    if settings.gov_preflight_url is None:
        return None
    return HttpPreflight(settings.gov_preflight_url, timeout_s=settings.gov_preflight_timeout_s)
