"""A model that is asked in a process of its own, within a limit of time.

Contract: one thread uses an isolated model. Whatever the model does (raise, answer nonsense, end its process, never
answer) comes back as an :class:`~ordinis_learn.shadow.answer.Answer`; after a lost process the next question starts another. Only
a bundle that cannot be loaded is an error. The process gets a folder and one socket: no settings, no environment beyond
the path of programs and libraries, no log, no registry, no bus. It is no sandbox against hostile code; bundles
hold none.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from ordinis_learn.errors import DataCorrupt
from ordinis_learn.shadow._scoring_process import CAPACITY, FAILED, REQUEST, RESPONSE, receive, with_room
from ordinis_learn.shadow.answer import Answer, Outcome

__all__ = ["LOADER", "MOST_TIMEOUTS", "IsolatedModel"]

LOADER: Final = "ordinis_learn.models:load_bundle"
"""What turns a folder into a model, as ``module:function``."""

MOST_TIMEOUTS: Final = 3
"""So many silences in a row and the model gave up: it is not asked any more until :meth:`IsolatedModel.forgive`."""

_START_SECONDS: Final = 120.0
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS")


class IsolatedModel:
    """Ask a bundle's model in another process.

    Parameters
    ----------
    folder : Path
        A bundle whose bytes the registry has verified.
    limit_seconds : float
        How long one call may take.
    loader : str
        ``module:function`` that makes a model of the folder.
    """

    def __init__(self, folder: Path, *, limit_seconds: float, loader: str = LOADER) -> None:
        self._folder = folder
        self._limit = limit_seconds
        self._loader = loader
        self._process: subprocess.Popen[bytes] | None = None
        self._stream: socket.socket | None = None
        self._out = bytearray(CAPACITY)
        self._in = bytearray(CAPACITY)
        self._timeouts = 0
        self.feature_names: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the process and learn which features the model reads; DataCorrupt where it cannot be loaded."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = self._spawn(theirs.fileno())
            except OSError as error:
                ours.close()
                raise self._cannot_load(str(error)) from error
        self._stream = ours
        ours.settimeout(_START_SECONDS)
        try:
            outcome, _, body = self._receive()
        except OSError as error:
            self._stop()
            raise self._cannot_load(str(error)) from error
        if outcome == FAILED:
            self._stop()
            raise self._cannot_load(bytes(body).decode("utf-8", "replace"))
        self.feature_names = tuple(json.loads(bytes(body)))
        _wait_at_most(self._limit, ours)

    @property
    def pid(self) -> int | None:
        """The process that holds the model; None where none runs."""
        return None if self._process is None else self._process.pid

    def ask(self, rows: npt.NDArray[np.float64]) -> Answer:
        """Return what the model says about rows of shape (n, F), n at least 1.

        The first silence after an answer may be the machine's: the same is asked once more, of a new process, and its latency holds the wait.
        """
        if self.gave_up:
            told = f"not asked: silent {MOST_TIMEOUTS} times in a row"
            return Answer.failed(len(rows), Outcome.TIMEOUT, error=told)
        trusted = self._timeouts == 0
        answer = self._asked(rows)
        if not (trusted and self._timeouts):
            return answer
        self._timeouts = 0
        again = self._asked(rows)
        return replace(again, latency_us=answer.latency_us + again.latency_us)

    @property
    def gave_up(self) -> bool:
        """Whether the model was silent so often in a row that it is not asked any more."""
        return self._timeouts >= MOST_TIMEOUTS

    def forgive(self) -> None:
        """Ask again also where the model was silent too often."""
        self._timeouts = 0

    def close(self) -> None:
        """End the process; calling again does nothing."""
        self._stop()

    def _asked(self, rows: npt.NDArray[np.float64]) -> Answer:
        if self._stream is None:
            self.start()
        begun = time.perf_counter()
        try:
            self._send(rows)
            outcome, latency_us, body = self._receive()
        except (BlockingIOError, TimeoutError):
            self._stop()
            self._timeouts += 1
            told, silent = f"no answer within {self._limit:g} s", (time.perf_counter() - begun) * 1e6
            return Answer.failed(len(rows), Outcome.TIMEOUT, error=told, latency_us=silent)
        except OSError:
            died = self._stop()
            return Answer.failed(len(rows), Outcome.ERROR, error=f"its process ended with status {died}")
        self._timeouts = 0
        if outcome == FAILED:
            said = bytes(body).decode("utf-8", "replace")
            return Answer.failed(len(rows), Outcome.ERROR, error=said, latency_us=latency_us)
        # A copy: the buffer is used again by the next question.
        said3 = np.frombuffer(body, dtype=np.float64).reshape(3, -1).copy()
        return Answer.read(said3, latency_us=latency_us)

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-m", "ordinis_learn.shadow._scoring_process"),
                *(str(descriptor), self._loader, str(self._limit), str(self._folder.resolve())),
            ],
            pass_fds=[descriptor],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            start_new_session=True,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )

    def _send(self, rows: npt.NDArray[np.float64]) -> None:
        size = REQUEST.size + rows.size * 8
        if size > len(self._out):
            self._out = bytearray(size)
        REQUEST.pack_into(self._out, 0, *rows.shape)
        room = np.frombuffer(self._out, dtype=np.float64, count=rows.size, offset=REQUEST.size)
        room.reshape(rows.shape)[:] = rows
        self._connected().sendall(memoryview(self._out)[:size])

    def _receive(self) -> tuple[int, float, memoryview]:
        stream = self._connected()
        have = receive(stream, self._in, have=0, need=RESPONSE.size)
        if not have:
            raise ConnectionError("the process ended")
        outcome, latency_us, length = RESPONSE.unpack_from(self._in)
        end = RESPONSE.size + length
        self._in = with_room(self._in, end)
        receive(stream, self._in, have=have, need=end)
        return outcome, latency_us, memoryview(self._in)[RESPONSE.size : end]

    def _connected(self) -> socket.socket:
        if self._stream is None:
            raise ConnectionError("no process")
        return self._stream

    def _stop(self) -> int | None:
        stream, self._stream = self._stream, None
        process, self._process = self._process, None
        if stream is not None:
            stream.close()
        if process is None:
            return None
        process.kill()
        return process.wait()

    def _cannot_load(self, found: str) -> DataCorrupt:
        return DataCorrupt(
            f"start the model in {self._folder}",
            found=found,
            next_step="restore the folder from the run's artifacts, or train again with ordinis-learn train",
            folder=str(self._folder),
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()


def _wait_at_most(seconds: float, stream: socket.socket) -> None:
    """Let the kernel limit each wait: Python's own limit asks it twice for each message."""
    whole = max(int(seconds * 1e6), 1)  # 0 would be for ever
    span = struct.pack("@ll", *divmod(whole, 1_000_000))
    stream.settimeout(None)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        stream.setsockopt(socket.SOL_SOCKET, option, span)
