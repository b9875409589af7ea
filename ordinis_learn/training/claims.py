"""Who works on a trial, and whether they still do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from ordinis_learn.training.processes import Process

__all__ = ["ClaimRules", "Owner", "Watch"]


@dataclass(frozen=True, kw_only=True)
class ClaimRules:
    """How work on one study is shared out.

    Attributes
    ----------
    beat_s : float
        A trial's owner shows that it lives so often.
    stale_after_s : float
        A claim that has not moved for so long, by the clock of whoever watches it, is taken over. Several beats.
    poll_s : float
        How often somebody who waits for the trials of others looks.
    """

    beat_s: float = 5.0
    stale_after_s: float = 30.0
    poll_s: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process that works on a study; ``token`` tells two processes apart that had the same pid."""

    host: str
    pid: int
    token: str

    @classmethod
    def here(cls) -> Owner:
        """Name this process, and its host as :class:`~ordinis_learn.training.processes.Process` does.

        Two containers of one machine may share its name and its boot, and each has a process 1.
        """
        here = Process.here()
        return cls(host=here.host, pid=here.pid, token=uuid4().hex)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"host": self.host, "pid": self.pid, "token": self.token}


class Watch:
    """Decides which claims are stale, by what one process has seen of them.

    No two clocks are compared: a claim is stale when its beats have not moved for ``stale_after_s`` on our own, or
    when its owner was a process of this host that is gone.

    Parameters
    ----------
    me : Owner
    rules : ClaimRules
    seconds : callable
        A clock that never goes back.
    """

    def __init__(self, me: Owner, *, rules: ClaimRules, seconds: Callable[[], float]) -> None:
        self._me = me
        self._rules = rules
        self._seconds = seconds
        self._seen: dict[int, tuple[Any, float]] = {}

    def stale(self, number: int, claim: Mapping[str, Any] | None) -> bool:
        """Tell whether trial ``number``, whose claim is (owner and beat) as given, may be taken over."""
        now = self._seconds()
        if claim is not None and self._is_gone(claim):
            return True
        before, since = self._seen.get(number, (None, now))
        if number not in self._seen or before != claim:
            self._seen[number] = (claim, now)
            return False
        return now - since >= self._rules.stale_after_s

    def _is_gone(self, claim: Mapping[str, Any]) -> bool:
        if claim["host"] != self._me.host:
            return False
        if claim["pid"] == self._me.pid:
            # Ours from an attempt before, or of a process whose pid we were given.
            return bool(claim["token"] != self._me.token)
        try:
            os.kill(int(claim["pid"]), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False
