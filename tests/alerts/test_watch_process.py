"""A real ``ordinis-learn watch`` that is told to end: the duty in hand comes to its end, or is rolled back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ordinis_learn import open_engine
from ordinis_learn.alerts import Sighting
from ordinis_learn.use_cases.alerting import sight

pytestmark = pytest.mark.slow  # processes that import everything
SEEN = Sighting(kind="flat", subject="m", severity="critical", summary="m is FLAT", source="a")


class SlowReceiver:
    """Takes a message, says that it has it in hand, and answers when it is let."""

    def __init__(self):
        self.asked, self.answer = threading.Event(), threading.Event()
        self.keys = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.keys.append(self.headers["Idempotency-Key"])
                receiver.asked.set()
                receiver.answer.wait(60)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver():
    made = SlowReceiver()
    yield made
    made.answer.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def home(tmp_path, receiver, monkeypatch):
    """A home with one message to deliver."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "LEARN_", "ORDINIS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LEARN_ALERT_URL", receiver.url)
    monkeypatch.setenv("LEARN_ALERT_TIMEOUT_S", "60")
    with open_engine(home=tmp_path) as engine:
        sight(engine.workbench, SEEN)
        assert len(engine.workbench.alerts.deliveries()) == 1
    return tmp_path


@pytest.fixture
def started(home, receiver):
    """Start a watch and wait until it delivers."""
    processes = []

    def start(*words):
        command = [sys.executable, "-I", "-m", "ordinis_learn", "--home", str(home), "watch", *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(process)
        assert receiver.asked.wait(120), process.kill() or process.communicate()[0]
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def waiting(home):
    with open_engine(home=home) as engine:
        assert engine.workbench.ledger.verify() == []
        return engine.workbench.alerts.deliveries()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_duty_in_hand_is_finished_and_the_rest_is_left(started, receiver, home, number):
    process = started()
    process.send_signal(number)
    time.sleep(0.5)
    assert process.poll() is None
    receiver.answer.set()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "messages: 1 sent, 0 wait" in said
    assert "stopped before outbox" in said
    assert "ended after 1 passes" in said
    assert waiting(home) == []
    assert len(receiver.keys) == 1


def test_a_second_signal_rolls_the_duty_back_and_the_next_pass_makes_up_for_it(started, receiver, home):
    process = started()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    (message,) = waiting(home)
    receiver.answer.set()
    again = started("--once")
    said, _ = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert waiting(home) == []
    assert receiver.keys == [message.delivery_id] * 2


def test_a_single_pass_that_is_ended_is_rolled_back(started, home):
    process = started("--once")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, said
    assert len(waiting(home)) == 1


def test_while_it_waits_it_ends_at_once(started, receiver):
    receiver.answer.set()
    process = started()
    time.sleep(3)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=50)  # the pause between two passes is sixty seconds
    assert process.returncode == 0, said
    assert "ended after 1 passes" in said
    assert time.monotonic() - began < 50
