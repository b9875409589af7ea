"""A command that is told to end does end, wherever the signal meets it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

HEAD = """
import signal, time, weakref
from ordinis_learn.cli.ending import end_cleanly_on_sigterm
end_cleanly_on_sigterm()
class Thing: pass
def lost(*_): signal.raise_signal(signal.SIGTERM)
try:
    {where}
    time.sleep(60)
finally:
    print("unwound")
"""
SWALLOWED_IN = {
    "a weak reference's callback": "thing = Thing(); kept = weakref.ref(thing, lost); del thing",
    "a finaliser": "Thing.__del__ = lost; Thing()",
    "a call back from C": "import ctypes; ctypes.CFUNCTYPE(None)(lost)()",
    "two finalisers": "Thing.__del__ = lost; Thing(); Thing()",
}


@pytest.mark.parametrize("where", SWALLOWED_IN.values(), ids=SWALLOWED_IN)
def test_a_signal_that_python_swallows_is_raised_again(where):
    script = HEAD.format(where=where)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "unwound\n", "")


def test_what_else_cannot_be_raised_is_reported_as_ever():
    script = HEAD.format(where="Thing.__del__ = lambda self: 1 / 0; Thing(); time.sleep = print")
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert "ZeroDivisionError" in said
