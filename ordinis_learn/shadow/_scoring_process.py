"""One model in a process of its own: rows come in over a socket, answers go back.

Started by :class:`ordinis_learn.shadow.isolated.IsolatedModel` as ``python -I -m ordinis_learn.shadow._scoring_process FD LOADER
LIMIT FOLDER``. It inherits one socket and no setting, opens no log, no registry and no bus, and ends when the socket
closes. A call that takes a second longer than the limit ends the process by the kernel's alarm, whatever the model does: also
where nobody is left to end it. A request is ``<II`` (rows, columns) and the rows as float64; an answer is ``<BdI`` (whether it failed, microseconds
of the call, bytes that follow) and direction, confidence and expected return as float64, or a text.
"""

from __future__ import annotations

import importlib
import json
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import LearnError

if TYPE_CHECKING:
    from ordinis_learn.models.base import SignalModel

__all__ = ["CAPACITY", "FAILED", "REQUEST", "RESPONSE", "SCORED", "main", "receive", "with_room"]

REQUEST: Final = struct.Struct("<II")
RESPONSE: Final = struct.Struct("<BdI")
SCORED, FAILED = 0, 1
CAPACITY: Final = 1 << 16
"""Of a buffer, in bytes, until a message is longer."""

_GRACE_SECONDS: Final = 1.0

_MODEL_ERRORS: Final = (
    LearnError,
    ArithmeticError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


def main(arguments: list[str]) -> int:
    """Load the model, say which features it reads, then answer until the other side closes."""
    descriptor, loader, limit, folder = arguments
    seconds = float(limit) + _GRACE_SECONDS
    with socket.socket(fileno=int(descriptor)) as stream:
        module, _, name = loader.partition(":")
        try:
            model: SignalModel = getattr(importlib.import_module(module), name)(Path(folder))
        except _MODEL_ERRORS as error:
            _send(stream, FAILED, 0.0, str(error).encode())
            return 1
        _send(stream, SCORED, 0.0, json.dumps(model.feature_names).encode())
        buffer = bytearray(CAPACITY)
        while have := receive(stream, buffer, have=0, need=REQUEST.size):
            rows, columns = REQUEST.unpack_from(buffer)
            buffer = with_room(buffer, REQUEST.size + rows * columns * 8)
            receive(stream, buffer, have=have, need=REQUEST.size + rows * columns * 8)
            asked = np.frombuffer(buffer, dtype=np.float64, count=rows * columns, offset=REQUEST.size)
            # A copy: the model may keep what it is given, and the buffer is used again.
            asked = asked.reshape(rows, columns).copy()
            asked.flags.writeable = False
            signal.setitimer(signal.ITIMER_REAL, seconds)
            _answer(stream, model, asked)
            signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def receive(stream: socket.socket, into: bytearray, *, have: int, need: int) -> int:
    """Read on until ``need`` bytes are there and return how many are: what came along is read in the same call.

    One side speaks at a time, so nothing of a next message can come along. 0 where the other side has closed before the first
    byte, ConnectionError in the middle.
    """
    with memoryview(into) as room:
        while have < need:
            count = stream.recv_into(room[have:])
            if not count:
                if have:
                    raise ConnectionError("the other side ended in the middle of a message")
                return 0
            have += count
    return have


def with_room(buffer: bytearray, size: int) -> bytearray:
    """Return a buffer of at least a size that begins as this one does."""
    return buffer if size <= len(buffer) else buffer.ljust(size, b"\0")


def _answer(stream: socket.socket, model: SignalModel, asked: npt.NDArray[np.float64]) -> None:
    begun = time.perf_counter()
    try:
        said = model.predict(asked)
        took = time.perf_counter() - begun
        answer = np.empty((3, len(asked)))
        answer[0], answer[1], answer[2] = said.direction, said.confidence, said.expected_return
    except _MODEL_ERRORS as error:
        text = f"{type(error).__name__}: {error}"[:2000]
        _send(stream, FAILED, (time.perf_counter() - begun) * 1e6, text.encode("utf-8", "replace"))
        return
    _send(stream, SCORED, took * 1e6, answer.data.cast("B"))


def _send(stream: socket.socket, outcome: int, microseconds: float, body: bytes | memoryview) -> None:
    stream.sendall(b"".join((RESPONSE.pack(outcome, microseconds, len(body)), body)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
