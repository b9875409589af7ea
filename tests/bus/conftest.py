from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def clock():
    """A clock that moves one second at each look."""
    now = datetime(2024, 1, 3, tzinfo=UTC)

    def tick():
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return tick
