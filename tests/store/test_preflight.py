"""A governance service outside, on a real socket: it can only tighten."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow.exceptions import MlflowException  # noqa: TID253

from ordinis_learn.settings import load_settings
from ordinis_mlflow.preflight import HttpPreflight


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_arguments):
        """Say nothing of a client that left: one test is about that."""


class Service:
    """Answers every POST with what it was told to; keeps what it was asked."""

    def __init__(self):
        self.status, self.headers, self.body, self.asked = 200, {}, b'{"decision": "allow"}', []
        self.silent = threading.Event()
        self.silent.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                service.asked.append(json.loads(self.rfile.read(length)))
                service.silent.wait(5)
                self.send_response(service.status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            def log_message(self, *_arguments):
                """Keep quiet."""

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/preflight"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def says(self, decision, reason=""):
        self.body = json.dumps({"decision": decision, "reason": reason}).encode()

    def close(self):
        self.silent.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    running = Service()
    yield running
    running.close()


def ask(service, *, timeout_s=1.0):
    return HttpPreflight(service.url, timeout_s=timeout_s)({"name": "signal"})


@pytest.mark.parametrize("decision", ["allow", "warn", "modify", "defer", "deny"])
def test_what_it_says_is_what_is_recorded(service, decision):
    service.says(decision, "because")
    answer = ask(service)
    assert (answer.answer, answer.reason, answer.source) == (decision, "because", service.url)
    assert service.asked == [{"name": "signal"}]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"decision": "allow"}'),
        (200, b""),
        (200, b"not JSON"),
        (200, b'["allow"]'),
        (200, b'{"decision": "ALLOW"}'),
        (200, b'{"decision": "unreachable"}'),
        (200, b'{"decision": "allow", "reason": 7}'),
        (200, b'{"decision": "allow", "reason": "' + b"x" * 70_000 + b'"}'),
        (302, b'{"decision": "allow"}'),
    ],
)
def test_anything_else_is_no_answer(service, status, body):
    service.status, service.body = status, body
    if status == 302:
        service.headers = {"Location": service.url}
    assert ask(service).answer == "unreachable"


def test_silence_and_a_closed_port_are_no_answer(service):
    service.silent.clear()
    assert ask(service, timeout_s=0.1).answer == "unreachable"
    service.close()
    assert ask(service).answer == "unreachable"


def governed(desk, service):
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    settings = load_settings(home=desk.home, gov_preflight_url=service.url, gov_preflight_timeout_s=1.0)
    desk.store.engine.dispose()
    desk.store = OrdinisSqlAlchemyStore(desk.url, settings=settings, clock=desk.clock)


def test_it_closes_the_gate_is_recorded_and_can_be_replayed(desk, service):
    governed(desk, service)
    version = desk.register()
    desk.attest(version)
    for answer in ("deny", "defer", "modify"):
        service.says(answer, "frozen until Monday")
        with pytest.raises(MlflowException, match="frozen until Monday"):
            desk.move(version, "shadow")
    service.says("warn")
    desk.move(version, "shadow")
    asked = service.asked[-1]
    assert (asked["to_state"], asked["version"], set(asked["requester"])) == (
        "SHADOW",
        version,
        {"name", "kind"},
    )
    verdict = desk.ledger.history("sp500_signal")[-1].body["decision"]["verdicts"][-1]
    assert (verdict["rule"], verdict["found"]) == ("gov_preflight", "warn")
    assert {one.outcome for one in desk.ledger.replay()} == {"identical"}


def test_it_cannot_open_the_gate_and_going_back_does_not_ask_it(desk, service):
    governed(desk, service)
    version = desk.register()
    desk.attest(version)
    with pytest.raises(MlflowException, match="allowed_move"):
        desk.move(version, "active")
    desk.move(version, "shadow")
    before = len(service.asked)
    service.says("deny")
    desk.move(version, "retired")
    assert len(service.asked) == before
    assert desk.state(version) == "RETIRED"


def test_without_an_answer_nothing_goes_forward(desk, service):
    governed(desk, service)
    version = desk.register()
    desk.attest(version)
    service.close()
    with pytest.raises(MlflowException, match="GOV_PREFLIGHT_URL"):
        desk.move(version, "shadow")
