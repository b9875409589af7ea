"""Events whose reader is killed; a module of its own, so that worker processes can load it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from ordinis_learn.datasets.buckets import ParquetEvents


@dataclass(frozen=True, kw_only=True)
class Deadly:
    """The process that reads bucket 1 dies in the middle of it: the first time, or always."""

    events: ParquetEvents
    killed: Path
    always: bool = False

    @property
    def buckets(self):
        return self.events.buckets

    def features(self):
        return self.events.features()

    def bars(self, number):
        return self.events.bars(number)

    def read(self, number):
        read = self.events.read(number)
        if number == 1 and (self.always or not self.killed.exists()):
            self.killed.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return read
