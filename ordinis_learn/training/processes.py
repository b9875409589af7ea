"""Which process opened a run, and whether it still lives."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["PROCESS_TAGS", "Process"]

_HOST: Final = "ordinis.process_host"
_PID: Final = "ordinis.process_pid"
_STARTED: Final = "ordinis.process_started"
PROCESS_TAGS: Final = (_HOST, _PID, _STARTED)
"""The tags that name a process."""
_AFTER_NAME_STARTED: Final = 19
"""The start time's place in ``/proc/PID/stat`` behind the name in brackets: field 22, proc_pid_stat(5)."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process, told apart from others that had its number before or have it elsewhere.

    Attributes
    ----------
    host : str
        The host's name, its boot and its space of process numbers: containers may share the first two.
    pid : int
    started : str
        Clock ticks from boot to its start; empty where the system does not say.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def here(cls) -> Process:
        """Name this process."""
        boot = Path("/proc/sys/kernel/random/boot_id")
        space = Path("/proc/self/ns/pid")
        booted = boot.read_text(encoding="ascii").strip() if boot.is_file() else ""
        numbers = str(space.stat().st_ino) if space.exists() else ""
        pid = os.getpid()
        return cls(host=f"{socket.gethostname()}/{booted}/{numbers}", pid=pid, started=_started(pid))

    @classmethod
    def of_tags(cls, tags: Mapping[str, str]) -> Process | None:
        """Read what :meth:`tags` wrote; None where it is not all there."""
        if not set(PROCESS_TAGS) <= set(tags) or not tags[_PID].isdecimal():
            return None
        return cls(host=tags[_HOST], pid=int(tags[_PID]), started=tags[_STARTED])

    def tags(self) -> dict[str, str]:
        """Return the process as tags of a run.

        Examples
        --------
        >>> one = Process(host="desk/boot/7", pid=41, started="99")
        >>> Process.of_tags(one.tags()) == one
        True
        """
        return {_HOST: self.host, _PID: str(self.pid), _STARTED: self.started}

    def is_gone(self, *, seen_from: str) -> bool:
        """Tell whether it surely ended; False where another host would have to be asked.

        Parameters
        ----------
        seen_from : str
            The ``host`` of whoever asks.

        Examples
        --------
        >>> here = Process.here()
        >>> here.is_gone(seen_from=here.host), here.is_gone(seen_from="another")
        (False, False)
        """
        if self.host != seen_from:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        except OverflowError:
            return False  # no system gave such a number: whoever wrote the tag says nothing of a process
        return bool(self.started) and _started(self.pid) not in {"", self.started}


def _started(pid: int) -> str:
    """Return a process's start in clock ticks, empty where it cannot be known; a zombie has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] == "Z" else fields[_AFTER_NAME_STARTED]
