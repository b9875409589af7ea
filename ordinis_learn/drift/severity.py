"""How bad a significant finding is."""

from __future__ import annotations

from typing import Final

from ordinis_learn.records import Severity

__all__ = ["severity_of"]

_CRITICAL: Final = 2.0


def severity_of(effect: float) -> Severity:
    """Return the grade of a finding that is significant, by multiples of what is material.

    Examples
    --------
    >>> severity_of(0.5), severity_of(1.0), severity_of(2.0)
    ('info', 'warning', 'critical')
    """
    if effect >= _CRITICAL:
        return "critical"
    return "warning" if effect >= 1.0 else "info"
