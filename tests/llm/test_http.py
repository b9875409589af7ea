"""One request to an endpoint that may do anything."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ordinis_learn.errors import LlmRejected, LlmUnavailable
from ordinis_learn.llm._http import HttpChatModel

from .conftest import KEY, completion  # isort: skip


def test_it_asks_as_openai_does(endpoint, model, ask):
    endpoint.script = [(200, {}, completion('{"a": 1}', prompt=12, answer=7))]
    answer = model.complete(ask("Why?", temperature=0.0, seed=7, stop=("END",)))
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ('{"a": 1}', 12, 7)
    assert answer.latency_ms > 0
    assert endpoint.asked == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "Why?"}],
            "temperature": 0,
            "max_tokens": 50,
            "seed": 7,
            "stop": ["END"],
        }
    ]
    assert endpoint.headers_seen[0]["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_statuses_that_ask_to_come_back(endpoint, model, ask, status):
    endpoint.script = [(status, {"Retry-After": "3"}, b'{"error": {"message": "busy"}}')]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert caught.value.data == {"charged": False, "retry_after_s": 3.0}
    assert f"status {status}: busy" in caught.value.found


def test_retry_after_may_be_a_date(endpoint, model, ask):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    endpoint.script = [(429, {"Retry-After": soon}, b"")]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert 50 < caught.value.data["retry_after_s"] <= 60


@pytest.mark.parametrize("said", ["soon", "-5", ""])
def test_a_retry_after_that_is_nonsense_is_none(endpoint, model, ask, said):
    endpoint.script = [(503, {"Retry-After": said}, b"")]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert caught.value.data["retry_after_s"] == 0.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 302])
def test_other_statuses_are_final_and_redirects_are_not_followed(endpoint, model, ask, status):
    endpoint.script = [(status, {"Location": "http://127.0.0.1:1/"}, b"no")]
    with pytest.raises(LlmRejected):
        model.complete(ask())
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b"[]",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -1}}',
        b'{"choices": [{"message": {"content": "x"}}], "usage": 3}',
        completion()[:-20],
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_completion_may_have_been_charged(endpoint, model, ask, body):
    endpoint.script = [(200, {}, body)]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert caught.value.data["charged"]


def test_a_body_that_breaks_off(endpoint, model, ask):
    body = completion()
    endpoint.script = [(200, {"promised": len(body)}, body[:-30])]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert caught.value.data["charged"]


@pytest.mark.parametrize("status", [200, "drip headers"])
def test_a_server_that_drips_is_left_at_the_deadline(endpoint, ask, status):
    # Each byte comes well within a read's timeout; all of them take a minute.
    model = HttpChatModel(endpoint.url, api_key=None, timeout_s=0.3)
    endpoint.script = [(status, {"drip_s": 0.05}, completion("x" * 1000))]
    with pytest.raises(LlmUnavailable, match="no whole answer within") as caught:
        model.complete(ask())
    assert caught.value.data["charged"]
    while endpoint.busy:  # the connection is cut: the server finds nobody there
        time.sleep(0.01)
    assert endpoint.left == 1


def test_a_connection_that_is_not_answered_ends_at_the_deadline_and_cost_nothing(ask):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with ExitStack() as waiting:
            for _ in range(3):  # the kernel answers no more of them
                one = waiting.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            model = HttpChatModel(f"http://127.0.0.1:{full.getsockname()[1]}/v1", api_key=None, timeout_s=0.3)
            with pytest.raises(LlmUnavailable, match="no connection in time") as caught:
                model.complete(ask())
    assert not caught.value.data["charged"]


def test_connections_are_kept_and_one_that_was_cut_is_not(endpoint, ask):
    model = HttpChatModel(endpoint.url, api_key=None, timeout_s=1.0)
    endpoint.script = [
        (200, {}, completion("first")),
        (200, {"drip_s": 0.05}, completion("x" * 1000)),
        (200, {}, completion("third")),
    ]
    assert model.complete(ask()).text == "first"
    with pytest.raises(LlmUnavailable):
        model.complete(ask())
    assert model.complete(ask()).text == "third"
    assert endpoint.peers[0] == endpoint.peers[1] != endpoint.peers[2]


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_in_chunks_or_compressed_is_read_whole(endpoint, model, ask, packed):
    import gzip

    body = completion("x" * 100_000)
    if packed:
        endpoint.script = [(200, {"Content-Encoding": "gzip"}, gzip.compress(body))]
    else:
        endpoint.script = [(200, {"Transfer-Encoding": "chunked"}, body)]
    assert model.complete(ask()).text == "x" * 100_000


def test_a_connection_that_breaks_and_one_that_is_refused(endpoint, model, ask):
    endpoint.script = [("drop", {}, b"")]
    with pytest.raises(LlmUnavailable) as caught:
        model.complete(ask())
    assert caught.value.data["charged"]
    nobody = HttpChatModel("http://127.0.0.1:9/v1", api_key=None, timeout_s=2.0)
    with pytest.raises(LlmUnavailable) as caught:
        nobody.complete(ask())
    assert not caught.value.data["charged"]


def test_the_key_is_in_no_message(endpoint, model, ask):
    endpoint.script = [(401, {}, json.dumps({"error": {"message": "bad key"}}).encode())]
    with pytest.raises(LlmRejected) as caught:
        model.complete(ask())
    assert KEY not in str(caught.value)
    assert "LEARN_LLM_API_KEY" in caught.value.next_step
