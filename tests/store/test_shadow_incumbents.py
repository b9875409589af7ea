"""Beside which version a shadow scores an event: the one that the ledger says was ACTIVE when it came in."""

from datetime import timedelta

import numpy as np

from ordinis_learn.capture.columns import to_microseconds
from ordinis_learn.use_cases.shadow_run import LedgerIncumbents
from ordinis_registry import SqlLedger


class _Standing:
    """The part of a registry that is asked: which version is to beat now."""

    def __init__(self, version):
        self._version = version

    def incumbent(self, _name):
        return self._version


def test_each_event_is_seen_beside_what_was_active_when_it_came(desk, clock):
    before = clock()
    clock.advance(days=1)
    first = desk.register()
    desk.promote(first)
    clock.advance(days=2)
    second = desk.register()
    desk.promote(second)
    later = clock() + timedelta(days=1)
    third = desk.register()
    moments = [before, later - timedelta(days=2), later]
    asked = np.array([to_microseconds(moment) for moment in moments])
    ledger = SqlLedger(desk.database)

    def versions(candidate):
        found = LedgerIncumbents(ledger, _Standing(second), name="sp500_signal", version=candidate)
        return list(found.versions(asked))

    # Before anything was active it is the version to beat now, and never the candidate itself.
    assert versions(third) == [second, first, second]
    assert versions(second) == [None, first, None]
