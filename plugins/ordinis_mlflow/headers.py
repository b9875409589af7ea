"""Tell a governed server who is asking.

A header can say anything, so the server records the name as *claimed*; where the server authenticates
its users, their login counts instead.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import quote

__all__ = ["ACTOR_HEADER", "ActorHeaderProvider"]

ACTOR_HEADER: Final = "X-Ordinis-Actor"


class ActorHeaderProvider:
    """Send ``ORDINIS_ACTOR`` with every MLflow request, where it is set.

    It has the methods of MLflow's ``RequestHeaderProvider`` without inheriting from it: MLflow loads it
    while it is being imported.
    """

    def in_context(self) -> bool:
        """Tell whether there is a name to send."""
        return bool(os.environ.get("ORDINIS_ACTOR"))

    def request_headers(self) -> dict[str, str]:
        """Return the header; characters outside ASCII are percent-encoded."""
        return {ACTOR_HEADER: quote(os.environ["ORDINIS_ACTOR"], safe=" @._-")}
