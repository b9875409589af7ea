import threading

import pytest

from ordinis_learn.capture.read_ahead import read_ahead


class Reading:
    """Remembers in which threads it was read and closed, and how far."""

    def __init__(self, *, items=100, fails_at=None):
        self.items, self.fails_at = items, fails_at
        self.read, self.threads, self.closed_in = 0, set(), None

    def __iter__(self):
        try:
            for number in range(self.items):
                self.threads.add(threading.get_ident())
                if number == self.fails_at:
                    raise OSError("the disk went away")
                self.read += 1
                yield number
        finally:
            self.closed_in = threading.get_ident()


def test_items_come_in_order_and_are_read_and_closed_in_one_other_thread():
    reading = Reading()
    assert list(read_ahead(reading)) == list(range(100))
    assert reading.threads == {reading.closed_in}
    assert reading.closed_in != threading.get_ident()


def test_no_more_than_two_are_read_before_they_are_asked_for():
    reading = Reading()
    items = read_ahead(reading)
    assert next(items) == 0
    for _ in range(3):
        threading.Event().wait(0.05)
    assert reading.read <= 3
    items.close()


def test_an_error_comes_where_its_item_would_have_come():
    items = read_ahead(Reading(fails_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="went away"):
        next(items)


def test_leaving_early_ends_the_thread_and_closes_the_reading():
    before = threading.active_count()
    reading = Reading()
    items = read_ahead(reading)
    next(items)
    items.close()
    assert reading.closed_in is not None
    assert threading.active_count() == before
