"""kill -9 of a worker of a real ``mlflow server`` between the statements of a promotion.

The worker dies by its own hand, see ``server_hook``; the server starts another one. Nobody repairs anything: the
database is looked at as it lies there, and the same request is asked again.
"""

from __future__ import annotations

import http.client
import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

MODEL = "sp500_signal"
HOOK = Path(__file__).parent / "server_hook"
STRIDE = 17
"""Each statement is tried without a server by ``test_killed``; here a worker's start is paid for every one."""


def promote(address, version):
    """Ask once, without any retry; return the status, None where the connection broke."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    body = {"name": MODEL, "version": version, "stage": "active", "archive_existing_versions": False}
    try:
        connection.request(
            "POST",
            "/api/2.0/mlflow/model-versions/transition-stage",
            json.dumps(body),
            {"Content-Type": "application/json"},
        )
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def ready(desk):
    """Take the next version as far as SHADOW, approved."""
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    desk.approve(version)
    return version


def answered(address, version):
    """Ask until a worker answers."""
    for _ in range(200):
        status = promote(address, version)
        if status is not None:
            return status
        time.sleep(0.1)
    raise AssertionError("no worker came back")


@pytest.mark.slow
def test_a_worker_killed_between_statements(any_desk, serving, disagreements, tmp_path):
    any_desk.clock = any_desk.store._clock = lambda: datetime.now(UTC)  # the server's clock is its own
    any_desk.promote(any_desk.register())
    armed = tmp_path / "armed"
    server = serving(any_desk.home, url=any_desk.url, workers=2, PYTHONPATH=str(HOOK), KILL_AT=str(armed))
    outcomes = []
    with server as address:
        step = 5
        while not outcomes or outcomes[-1] is None:
            before, version = any_desk.active(), ready(any_desk)
            armed.write_text(f"{uuid.uuid4().hex} {step}")
            outcomes.append(promote(address, version))
            armed.unlink(missing_ok=True)
            assert disagreements(any_desk.database) == []
            assert any_desk.active() in {before, version}
            if any_desk.active() == before:
                assert answered(address, version) == 200
            assert any_desk.active() == version
            assert disagreements(any_desk.database) == []
            step += STRIDE
    assert outcomes[-1] == 200
    assert outcomes.count(None) >= 2
    assert any_desk.store.reconcile() == []
