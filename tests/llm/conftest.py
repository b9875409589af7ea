"""An OpenAI-compatible endpoint on loopback that misbehaves as it is told to."""

from __future__ import annotations

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import pytest

from ordinis_learn import open_engine
from ordinis_learn.llm import ChatRequest
from ordinis_learn.llm._http import HttpChatModel

KEY = "sk-a-secret-nobody-may-see"


def completion(text="{}", *, model="m", prompt=10, answer=5, finish="stop", **message):
    return json.dumps(
        {
            "model": model,
            "choices": [
                {"finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
            ],
            "usage": {"prompt_tokens": prompt, "completion_tokens": answer},
        }
    ).encode()


class Endpoint(ThreadingHTTPServer):
    """Answers with the next of ``script``; with the last one again when it is used up.

    An entry is (status, headers, body), or a function of the request's JSON that returns one.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = [(200, {}, completion())]
        self.asked, self.headers_seen, self.busy, self.busiest, self.left = [], [], 0, 0, 0
        self.peers = []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def next(self, asked):
        with self.lock:
            self.asked.append(asked)
            entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return entry(asked) if callable(entry) else entry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server = self.server
        with server.lock:
            server.busy += 1
            server.busiest = max(server.busiest, server.busy)
            server.headers_seen.append(dict(self.headers))
            server.peers.append(self.client_address)
        try:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, body = server.next(asked)
            try:
                self.answer(status, headers, body)
            except OSError:  # a client that gave up
                server.left += 1
                self.close_connection = True
        finally:
            with server.lock:
                server.busy -= 1

    def answer(self, status, headers, body):
        if status == "drop":
            self.close_connection = True
            self.connection.close()
            return
        if status == "drip headers":
            self.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Wait: a while\r\n" * 90, every_s=headers["drip_s"])
            return
        self.send_response(status)
        length = headers.pop("promised", len(body)) if headers else len(body)
        drip = headers.pop("drip_s", None) if headers else None
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Transfer-Encoding" in (headers or {}):
            self.end_headers()
            for start in range(0, len(body), 5000):
                piece = body[start : start + 5000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if drip is None:
            self.wfile.write(body)
        else:
            self.drip(body, every_s=drip)
        if length != len(body):
            self.close_connection = True

    def drip(self, content, *, every_s):
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(every_s)

    def log_message(self, *_args):
        pass


@pytest.fixture
def endpoint():
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(endpoint):
    opened = HttpChatModel(endpoint.url, api_key=KEY, timeout_s=5.0)
    yield opened
    opened._session.close()


@pytest.fixture
def ask():
    def make(text="Why?", **more):
        return ChatRequest(
            model="m", messages=[{"role": "user", "content": text}], **{"max_tokens": 50, **more}
        )

    return make


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A desk that has nothing but a home."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    with open_engine(home=tmp_path / "desk", actor="researcher") as opened:
        yield opened


@pytest.fixture
def cortex_file():
    return Path(str(resources.files("ordinis_learn.prompts") / "cortex.yaml"))
