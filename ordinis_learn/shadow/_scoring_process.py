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

__all__ = ["FAILED", "REQUEST", "RESPONSE", "SCORED", "main", "receive"]

REQUEST: Final = struct.Struct("<II")
RESPONSE: Final = struct.Struct("<BdI")
SCORED, FAILED = 0, 1

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
        header = bytearray(REQUEST.size)
        while receive(stream, memoryview(header)):
            rows, columns = REQUEST.unpack(header)
            asked = np.empty((rows, columns))
            receive(stream, asked.data.cast("B"))
            asked.flags.writeable = False
            signal.setitimer(signal.ITIMER_REAL, seconds)
            _answer(stream, model, asked)
            signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def receive(stream: socket.socket, into: memoryview) -> bool:
    """Fill a buffer; False where the other side has closed before its first byte, ConnectionError in the middle."""
    filled = 0
    while filled < len(into):
        count = stream.recv_into(into[filled:])
        if not count:
            if filled:
                raise ConnectionError("the other side ended in the middle of a message")
            return False
        filled += count
    return True


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
