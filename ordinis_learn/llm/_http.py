"""One request to ``/chat/completions`` of an OpenAI-compatible endpoint.

``requests`` because MLflow brings it. One deadline holds for all of it (:mod:`ordinis_learn.llm._deadline`), and the body is read
in pieces up to a limit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import requests
from pydantic import ValidationError
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ordinis_learn.errors import LlmRejected, LlmUnavailable
from ordinis_learn.llm._deadline import CuttableAdapter, NotConnectedInTime, within
from ordinis_learn.llm.port import ChatAnswer, ChatRequest

__all__ = ["HttpChatModel"]

_MOST_BYTES: Final = 8 * 1024 * 1024
_PIECE_BYTES: Final = 16 * 1024
_AGAIN: Final = "type the command again later: what was answered is kept"
_NOT_CHARGED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class _Bearer(requests.auth.AuthBase):
    """Sets the key itself: without an auth of its own ``requests`` would take one from a .netrc file."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            prepared.headers["Authorization"] = f"Bearer {self._key}"
        return prepared


class HttpChatModel:
    """A model behind an address. Threads may share it.

    Parameters
    ----------
    url : str
        Up to and with ``/v1``.
    api_key : str, optional
        Sent as a bearer token, over redirects to nobody: they are not followed. It appears in no message.
    timeout_s : float
        For the whole answer, from looking its name up to the last byte.
    connections : int
        How many are kept open.
    """

    def __init__(self, url: str, *, api_key: str | None, timeout_s: float, connections: int = 8) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._auth = _Bearer(api_key)
        self._timeout_s = timeout_s
        self._session = requests.Session()
        adapter = CuttableAdapter(pool_maxsize=connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Ask once.

        Raises
        ------
        LlmUnavailable
            No connection, no answer in time, a status that asks to come back, or a body that is no answer;
            ``data`` holds ``retry_after_s`` and whether it may have been ``charged``.
        LlmRejected
            Any other status.
        """
        asked = f"ask {request.model} at {self._url}"
        started = time.monotonic()
        try:
            status, headers, body = within(self._timeout_s, lambda: self._post(request))
        except (requests.ConnectTimeout, NotConnectedInTime) as error:
            raise _unavailable(asked, "no connection in time", charged=False) from error
        except (requests.Timeout, TimeoutError) as error:
            raise _unavailable(asked, f"no whole answer within {self._timeout_s:g} s") from error
        except requests.ConnectionError as error:
            refused = "Connection refused" in str(error) or "Name or service" in str(error)
            raise _unavailable(asked, "the connection was refused or broke", charged=not refused) from error
        except ReadTimeoutError as error:
            raise _unavailable(asked, f"no answer within {self._timeout_s:g} s") from error
        except (requests.RequestException, HTTPError) as error:
            raise _unavailable(asked, f"the transfer broke off: {type(error).__name__}") from error
        latency_ms = 1e3 * (time.monotonic() - started)
        if status != requests.codes.ok:
            raise _refused(asked, status, headers=headers, body=body)
        return _read_answer(asked, body, latency_ms=latency_ms)

    def _post(self, request: ChatRequest) -> tuple[int, Mapping[str, str], bytes]:
        with self._session.post(
            self._url,
            data=json.dumps(request.body()),
            headers={"Content-Type": "application/json"},
            auth=self._auth,
            timeout=self._timeout_s,
            stream=True,
            allow_redirects=False,
        ) as response:
            body = bytearray()
            # ``iter_content`` fills its piece before it returns: a body that drips would be waited for to its end.
            while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
                body += piece
                if len(body) > _MOST_BYTES:
                    raise HTTPError
            return response.status_code, response.headers, bytes(body)


def _unavailable(asked: str, found: str, *, charged: bool = True, wait_s: float = 0.0) -> LlmUnavailable:
    return LlmUnavailable(asked, found=found, next_step=_AGAIN, charged=charged, retry_after_s=wait_s)


def _refused(
    asked: str, status: int, *, headers: Mapping[str, str], body: bytes
) -> LlmUnavailable | LlmRejected:
    found = f"status {status}: {_message(body)}"
    if status in _NOT_CHARGED or status >= 500:
        return _unavailable(asked, found, charged=False, wait_s=_seconds(headers.get("Retry-After", "")))
    next_step = {
        401: "set LEARN_LLM_API_KEY to a key of this endpoint",
        403: "set LEARN_LLM_API_KEY to a key that may use this model",
        404: "check LEARN_LLM_URL (it ends with /v1) and the model's name",
    }
    return LlmRejected(
        asked,
        found=found,
        next_step=next_step.get(status, "correct the request or the prompt pack"),
        status=status,
    )


def _seconds(retry_after: str) -> float:
    """Read a Retry-After header: seconds or an HTTP date; 0 where it is neither."""
    try:
        return max(float(retry_after), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:200].decode(errors="replace") or "no body"


def _read_answer(asked: str, body: bytes, *, latency_ms: float) -> ChatAnswer:
    try:
        values: Any = json.loads(body)
        choice = values["choices"][0]
        message, usage = choice["message"], values.get("usage") or {}
        return ChatAnswer(
            text=message.get("content") or "",
            model=values.get("model") or "",
            finish_reason=choice.get("finish_reason") or "",
            refusal=message.get("refusal") or "",
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            latency_ms=latency_ms,
        )
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
        RecursionError,
        ValidationError,
    ) as error:
        found = f"the body is no chat completion ({type(error).__name__})"
        raise _unavailable(asked, found) from error
