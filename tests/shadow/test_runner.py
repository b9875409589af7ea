"""Follow the log without a double or a gap, whatever happens between."""

from contextlib import suppress
from datetime import timedelta

import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid, DataCorrupt, ShadowSetAside, StoreUnavailable
from ordinis_learn.shadow.lock import sole_runner
from ordinis_learn.shadow.store import ShadowStore
from ordinis_learn.testing import InMemorySegmentCatalogue


def events_of(kept):
    return kept["event_id"].tolist()


def test_both_models_are_asked_about_every_event_once_in_the_order_of_the_log(desk, kit):
    for day in range(3):
        desk.record(kit.day_events(day))
    kept = desk.run()
    assert events_of(kept) == [f"feature-{day}-{symbol}" for day in range(3) for symbol in kit.SYMBOLS]
    assert set(kept["active_version"]) == {"1"}
    assert set(kept["candidate_outcome"]) == set(kept["active_outcome"]) == {"scored"}
    # The active one fades what the candidate follows.
    assert np.array_equal(kept["candidate_direction"], -kept["active_direction"])
    assert np.array_equal(kept["candidate_confidence"], kept["active_confidence"])
    assert np.isfinite(kept["candidate_expected_return"]).all()
    assert (kept["candidate_latency_us"] > 0).all()
    assert len(np.unique(kept["candidate_call"])) == 3  # one call for each close
    assert (kept["scored_at"] == int(kit.NOW.timestamp() * 1e6)).all()


def test_it_goes_on_where_it_stopped_and_other_events_do_not_matter(desk, kit):
    desk.record(kit.day_events(0))
    before = desk.run(until=4)
    assert len(events_of(before)) == 4
    assert events_of(desk.run()) == events_of(desk.run()) == [f"feature-0-{s}" for s in kit.SYMBOLS]
    desk.record(kit.day_events(1))
    weekly = kit.event(1, key="-weekly")
    desk.record([weekly | {"payload": weekly["payload"] | {"tf": "1w"}}])
    assert len(events_of(desk.run(chunk=1))) == 12
    with ShadowStore(desk.path) as store:
        assert store.position == desk.log.position() == 13


def test_sealed_events_are_read_as_hot_ones(desk, kit):
    from ordinis_learn.capture import Sealer

    for day in range(4):
        desk.record(kit.day_events(day))
    desk.run(until=9)
    sealer = Sealer(
        desk.log, InMemorySegmentCatalogue(), root=desk.home / "events", buckets=2, clock=desk.clock
    )
    assert len(list(sealer.seal(before=kit.close_of(3).date()))) == 3
    kept = desk.run()
    assert sorted(events_of(kept)) == sorted(
        f"feature-{day}-{symbol}" for day in range(4) for symbol in kit.SYMBOLS
    )
    assert kept["position"].tolist() == list(range(1, 25))
    assert set(kept["candidate_outcome"]) == {"scored"}


def test_each_row_names_the_version_that_was_active_when_its_event_came(desk, kit):
    desk.since = {0: None, 1: "1", 3: "3"}
    for day in range(5):
        desk.record(kit.day_events(day))
    kept = desk.run()
    beside = dict(zip(events_of(kept), kept["active_version"], strict=True))
    assert [beside[f"feature-{day}-AAA"] for day in range(5)] == [None, "1", "1", "3", "3"]
    assert {kept["active_outcome"][n] for n in range(6)} == {None}
    by_version = {version: kept["active_version"] == version for version in ("1", "3")}
    assert np.array_equal(
        kept["candidate_direction"][by_version["1"]], -kept["active_direction"][by_version["1"]]
    )
    assert np.array_equal(
        kept["candidate_direction"][by_version["3"]], kept["active_direction"][by_version["3"]]
    )


@pytest.mark.slow
def test_what_goes_wrong_with_one_event_is_kept_with_it_and_the_others_are_scored(desk, kit):
    desk.isolated, desk.limit = True, 0.5
    cues = dict(zip(kit.SYMBOLS, ("raise", "nan", "nonsense", "answer", "die", "answer"), strict=True))
    desk.record([kit.event(0, symbol, cue=cue) for symbol, cue in cues.items()])
    desk.record([kit.event(1, "AAA", vol_20=None), kit.event(1, "BBB")])
    desk.record(kit.day_events(2, cue="hang"))
    desk.record(kit.day_events(3))
    kept = desk.run(chunk=14)
    outcome = kept["candidate_outcome"].tolist()
    assert kept["position"].tolist() == list(range(1, 21))
    assert outcome[:6] == ["error", "nan", "error", "scored", "error", "scored"]
    assert outcome[6:8] == ["missing", "scored"]
    assert outcome[8:14] == ["timeout"] * 6
    assert outcome[14:] == ["scored"] * 6
    assert kept["candidate_error"][0] == "ValueError: staged to raise"
    assert "status 3" in kept["candidate_error"][4]
    assert "0.5 s" in kept["candidate_error"][8]
    # The active model was never in danger: its process is another one.
    assert set(kept["active_outcome"]) == {"scored", "missing"}
    assert np.isnan(kept["candidate_direction"][0])


def silences(desk, kit, cues):
    """Record a close for each cue, with an event of another day's moment in between that came late."""
    for day, cue in enumerate(cues):
        desk.record([kit.event(day + 1, symbol, cue=cue) for symbol in kit.SYMBOLS[:2]])
    desk.record([kit.event(0, "AAA", key="-late")])


def passes(desk):
    """Run until nothing is set aside any more; return how many passes it took and what is kept."""
    for number in range(1, 10):
        with suppress(ShadowSetAside):
            return number, desk.run()
    raise AssertionError("it never came to its end")


@pytest.mark.slow
def test_a_silence_is_kept_with_its_event_and_the_next_is_asked(desk, kit):
    desk.isolated, desk.limit = True, 0.5
    silences(desk, kit, ("answer", "hang", "answer", "hang", "hang", "answer"))
    number, kept = passes(desk)
    assert number == 1
    assert kept["position"].tolist() == list(range(1, 14))
    told = kept["candidate_outcome"].tolist()
    assert told == [*["scored"] * 2, *["timeout"] * 2, *["scored"] * 2, *["timeout"] * 4, *["scored"] * 3]


@pytest.mark.slow
def test_three_silences_set_it_aside_and_each_pass_goes_on_behind_them(desk, kit):
    """No event is lost, doubled, or called silent without having been asked."""
    desk.isolated, desk.limit = True, 0.5
    silences(desk, kit, ("answer", *["hang"] * 3, "answer", *["hang"] * 4, "answer"))
    with pytest.raises(ShadowSetAside, match="the version in shadow"):
        desk.run()
    assert desk.kept()["position"].tolist() == list(range(1, 9))
    number, kept = passes(desk)
    assert number == 2
    assert kept["position"].tolist() == list(range(1, 22))
    told = kept["candidate_outcome"].tolist()
    assert told == [*["scored"] * 2, *["timeout"] * 6, *["scored"] * 2, *["timeout"] * 8, *["scored"] * 3]
    assert not any("not asked" in str(error) for error in kept["candidate_error"])
    assert set(kept["active_outcome"]) == {"scored"}


@pytest.mark.slow
def test_a_silent_active_version_costs_the_candidate_no_pairs_that_were_never_asked_for(desk, kit):
    desk.isolated, desk.limit = True, 0.5
    for day in range(6):
        desk.record([kit.event(day, "AAA", calm=3.0 if day < 3 else 0.0)])
    with pytest.raises(ShadowSetAside, match="the active version"):
        desk.run()
    kept = desk.run()
    assert kept["position"].tolist() == list(range(1, 7))
    assert kept["active_outcome"].tolist() == [*["timeout"] * 3, *["scored"] * 3]
    assert set(kept["candidate_outcome"]) == {"scored"}


def test_an_event_that_comes_again_changes_nothing_and_a_late_one_is_added_at_the_end(desk, kit):
    desk.record(kit.day_events(5))
    first = desk.run()
    desk.record(kit.day_events(5))
    desk.record([kit.event(2)])
    kept = desk.run()
    assert events_of(kept) == [*events_of(first), "feature-2-AAA"]


def test_an_empty_day_and_a_clock_that_jumps_back_change_no_number(desk, kit):
    desk.record(kit.day_events(0))
    before = desk.run()
    assert len(desk.run()["position"]) == 6
    desk.now = kit.NOW - timedelta(days=4000)
    desk.record(kit.day_events(7))
    kept = desk.run()
    assert len(kept["position"]) == 12
    assert kept["candidate_direction"][:6].tolist() == before["candidate_direction"].tolist()


def test_a_second_runner_is_told_who_is_at_work(tmp_path, kit):
    import os
    import subprocess
    import sys

    lock = tmp_path / "shadow" / "sp500_signal" / "2.lock"
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from ordinis_learn.errors import StoreUnavailable\n"
        "from ordinis_learn.shadow.lock import sole_runner\n"
        "try:\n    with sole_runner(Path(sys.argv[1]), now=datetime.now(UTC)): print('held')\n"
        "except StoreUnavailable as error: print(error)\n"
    )

    def second():
        command = [sys.executable, "-I", "-c", code, str(lock)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with sole_runner(lock, now=kit.NOW):
        said = second()
        assert f"process {os.getpid()} " in said
        assert "since 2024-06-01" in said
        assert "sp500_signal 2" in said
    assert second() == "held\n"


def test_predictions_go_on_only_with_what_they_were_begun_with(desk, kit):
    desk.record(kit.day_events(0))
    desk.run()
    own = desk.store

    def changed(**fields):
        store = own()
        identity = store.identity
        store.close()
        return ShadowStore(desk.path, identity=type(identity)(**{**vars(identity), **fields}))

    for field in ("artifact_sha256", "source", "log", "version"):
        with pytest.raises(ConfigInvalid, match=field):
            changed(**{field: "another"})


def test_a_log_that_ends_before_the_kept_position_is_not_gone_on_with(desk, kit):
    desk.record(kit.day_events(0))
    with desk.store() as store:
        store.append([], after=0, position=50)
    with pytest.raises(DataCorrupt, match="ends at 6"):
        desk.run()


def test_what_was_said_is_neither_changed_nor_removed_and_a_position_does_not_go_back(desk, kit):
    import sqlite3

    desk.record(kit.day_events(0))
    desk.run()
    with sqlite3.connect(desk.path) as connection:
        for statement in (
            "UPDATE scored SET candidate_direction = 1",
            "DELETE FROM scored WHERE position = 1",
            "UPDATE progress SET position = 2",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)
    with desk.store() as store, pytest.raises(StoreUnavailable, match="somebody else"):
        store.append([], after=3, position=7)


def test_the_log_s_reader_can_do_nothing_but_read(desk):
    from ordinis_learn.shadow.feed import FeatureFeed

    feed = FeatureFeed(desk.log, source="features")
    public = {name for name in dir(feed) if not name.startswith("_")}
    assert public == {"position", "read", "source"}
    with pytest.raises(ConfigInvalid):
        FeatureFeed(desk.log, source="orders")
