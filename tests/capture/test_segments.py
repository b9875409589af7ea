"""The catalogue of sealed files; the governance database and the fake keep the same promises."""

from datetime import UTC, date, datetime

import pytest

from ordinis_learn.records import Segment, Topic
from ordinis_learn.testing import InMemorySegmentCatalogue
from ordinis_registry import GovernanceDatabase, SqlSegmentCatalogue


@pytest.fixture(params=["sqlite", "memory"])
def catalogue(request, tmp_path):
    if request.param == "memory":
        yield InMemorySegmentCatalogue()
        return
    database = GovernanceDatabase(f"sqlite:///{tmp_path}/ordinis.db")
    database.upgrade()
    yield SqlSegmentCatalogue(database)
    database.close()


def segment(*, day=2, bucket=0, buckets=2, generation=1, sha256="a" * 64, topic=Topic.BAR):
    moment = datetime(2024, 1, day, 21, tzinfo=UTC)
    return Segment(
        log_id="0" * 32,
        event_type=topic,
        day=date(2024, 1, day),
        bucket=bucket,
        buckets=buckets,
        generation=generation,
        path=f"{topic}/{day}/{bucket}-of-{buckets}/{generation}",
        rows=3,
        bytes=100,
        sha256=sha256,
        first=moment,
        last=moment,
        first_position=1,
        last_position=3,
        until_position=4,
    )


def test_what_was_added_is_given_back_in_order(catalogue):
    assert list(catalogue.segments()) == []
    late, bars, signals = (
        segment(generation=2),
        [segment(bucket=1), segment(bucket=0)],
        segment(topic=Topic.SIGNAL),
    )
    for group in ([signals], [late], bars):
        catalogue.add_segments(group)
    assert list(catalogue.segments()) == [bars[1], bars[0], late, signals]


def test_an_interrupted_attempt_is_replaced_whole(catalogue):
    catalogue.add_segments([segment(bucket=0), segment(bucket=1)])
    catalogue.add_segments([segment(generation=2)])
    again = [segment(bucket=2, buckets=3, sha256="b" * 64)]
    catalogue.add_segments(again)
    assert list(catalogue.segments()) == [*again, segment(generation=2)]


def test_a_generation_is_dropped_and_no_other(catalogue):
    catalogue.add_segments([segment(bucket=0), segment(bucket=1)])
    catalogue.add_segments([segment(day=3)])
    catalogue.drop_segments([segment(bucket=1)])
    assert list(catalogue.segments()) == [segment(day=3)]
