"""Messages to people outside, over real HTTP on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from ordinis_learn.alerts import Sighting, raise_alert
from ordinis_learn.alerts.webhook import HttpNotifier
from ordinis_learn.errors import AlertUndelivered, ConfigInvalid
from ordinis_learn.records import Actor
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.alert_book import InMemoryAlertBook
from ordinis_learn.use_cases.deliver import deliver_alerts

MONITOR = Actor(name="monitor", kind="claimed")
SEEN = Sighting(kind="flat", subject="m", severity="critical", summary="m is FLAT", source="a")
SECRET = "T0/B0/very-secret"


class Receiver:
    """A server that answers as it is told and remembers what it was sent."""

    def __init__(self):
        self.answers = []
        self.got = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.got.append((self.path, self.headers["Idempotency-Key"], body))
                status, headers = receiver.answers.pop(0) if receiver.answers else (200, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def bench(clock, context, receiver, tmp_path):
    book = InMemoryAlertBook(clock=clock)
    settings = load_settings(home=tmp_path, learn_alert_url=receiver.url, actor="monitor")
    book.change("m", lambda standing: raise_alert(standing, SEEN, context=context()), actor=MONITOR)
    return SimpleNamespace(alerts=book, settings=settings, clock=clock, notifier=HttpNotifier(timeout_s=2.0))


def test_a_message_is_posted_once_with_its_key(bench, receiver):
    assert deliver_alerts(bench).sent == 1
    assert deliver_alerts(bench).sent == 0
    ((path, key, body),) = receiver.got
    assert path == f"/{SECRET}"
    assert len(key) == 64
    assert (body["delivery_id"], body["what"], body["alert"]["subject"]) == (key, "opened", "m")


def test_it_is_tried_again_later_with_the_same_key_until_it_is_taken(bench, receiver, clock):
    receiver.answers = [(500, {}), (429, {"Retry-After": "120"}), (302, {"Location": "http://127.0.0.1:1/"})]
    keys = []
    for pause in (30, 120, 120):
        assert deliver_alerts(bench).sent == 0
        clock.advance(seconds=pause - 1)
        assert deliver_alerts(bench).waiting == 1
        clock.advance(seconds=1)
    assert deliver_alerts(bench).sent == 1
    keys = {key for _, key, _ in receiver.got}
    assert (len(receiver.got), len(keys)) == (4, 1)


def test_a_receiver_that_stays_away_is_an_alert_of_its_own_and_nothing_is_given_up(bench, receiver, clock):
    receiver.answers = [(503, {})] * 5
    for _ in range(5):
        deliver_alerts(bench)
        clock.advance(hours=1)
    (worry,) = bench.alerts.alerts("*")
    assert worry.kind == "delivery_failed"
    assert SECRET not in worry.summary
    assert deliver_alerts(bench).sent == 2
    assert bench.alerts.alerts("*") == []


def test_killed_between_the_post_and_the_note_it_is_posted_again_under_the_same_key(bench, receiver):
    class Killed(Exception):
        pass

    def dies(_delivery):
        raise Killed

    broken = replace_settle(bench, dies)
    with pytest.raises(Killed):
        deliver_alerts(broken)
    assert deliver_alerts(bench).sent == 1
    first, second = receiver.got
    assert first == second


def replace_settle(bench, settle):
    """A book that ends the process's work where it would note a delivery."""

    class Dying(InMemoryAlertBook):
        def settle(self, delivery):
            settle(delivery)

    book = Dying(clock=bench.clock)
    book.__dict__.update(bench.alerts.__dict__)
    return SimpleNamespace(**{**bench.__dict__, "alerts": book})


def test_chat_programs_get_one_text_and_escalations_their_own_address(bench, receiver, context, clock):
    from ordinis_learn.alerts import escalate

    other = receiver.url.replace(SECRET, "pager")
    changes = {"learn_alert_shape": "slack", "learn_alert_escalation_url": other}
    settings = load_settings(home=bench.settings.home, learn_alert_url=receiver.url, **changes)
    clock.advance(hours=25)
    bench.alerts.change("m", lambda standing: escalate(standing, context=context()), actor=MONITOR)
    deliver_alerts(SimpleNamespace(**{**bench.__dict__, "settings": settings}))
    assert [path for path, _, _ in receiver.got] == [f"/{SECRET}", "/pager"]
    assert set(receiver.got[0][2]) == {"text"}
    assert "m is FLAT" in receiver.got[0][2]["text"]
    assert "docs/operations.md#flat" in receiver.got[0][2]["text"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/" + SECRET, "http://no.such.host.invalid/" + SECRET, "http://[/" + SECRET]
)
def test_no_message_holds_the_address(url):
    with pytest.raises(AlertUndelivered) as caught:
        HttpNotifier(timeout_s=1.0)({}, url=url, idempotency_key="k")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("pieces", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_receiver_that_drips_its_answer_is_given_up_after_the_whole_time(pieces):
    """Each byte comes well within the time of one wait: only a deadline for the whole ends it."""
    done = threading.Event()

    def drip(listener):
        taken, _ = listener.accept()
        with taken:
            taken.recv(65536)
            taken.sendall(pieces)
            with suppress(OSError):  # it hung up
                while not done.wait(0.2):
                    taken.sendall(b"X-More: 1\r\n" if pieces.endswith(b"\n") else b"a")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        began = time.monotonic()
        with pytest.raises(AlertUndelivered, match=r"no answer \(TimeoutError\)"):
            HttpNotifier(timeout_s=1.0)(
                {}, url=f"http://127.0.0.1:{listener.getsockname()[1]}/", idempotency_key="k"
            )
        took = time.monotonic() - began
        hung_up = not thread.join(3.0) and not thread.is_alive()
        done.set()
        thread.join()
    assert took < 3.0
    assert hung_up


@pytest.mark.parametrize("url", ["ftp://x/" + SECRET, "file:///etc/passwd", "", SECRET])
def test_an_address_that_is_not_http_is_refused_and_not_repeated(url, tmp_path):
    with pytest.raises(ConfigInvalid) as caught:
        load_settings(home=tmp_path, learn_alert_url=url)
    assert SECRET not in str(caught.value)
