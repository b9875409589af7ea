"""Loaded by every Python process of a server that a test starts with this folder on ``PYTHONPATH``.

Once the file named by ``KILL_AT`` holds ``TOKEN STEP``, the process that comes to its STEP-th statement or commit
since then kills itself before it. The first to get there takes the file away, so that one process dies.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

ARMED = os.environ.get("KILL_AT")


def listen(armed):
    import sqlalchemy as sa

    counted = {}

    def tick(*_):
        with suppress(OSError, ValueError):
            token, step = armed.read_text().split()
            counted[token] = counted.get(token, 0) + 1
            if counted[token] == int(step):
                armed.rename(armed.with_suffix(".fired"))
                os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", tick)
    sa.event.listen(sa.Engine, "commit", tick)


if ARMED:
    listen(Path(ARMED))
