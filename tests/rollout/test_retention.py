"""Which retired versions keep their bytes."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.records import State
from ordinis_learn.rollout.retention import VersionFacts, retained

PLACES = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple)


@st.composite
def registries(draw):
    count = draw(st.integers(0, 12))
    return [
        VersionFacts(
            name=draw(st.sampled_from(["m", "n"])),
            version=str(order),
            model_type=draw(st.sampled_from(["signal_model", "embed_model"])),
            state=draw(st.sampled_from([State.RETIRED, State.RETIRED, State.RETIRED, *State])),
            order=order,
            place=(*draw(PLACES), *draw(st.sampled_from([(), (str(order),)]))),
            needed=draw(st.sampled_from(["", "", "legal hold", "last known good"])),
        )
        for order in range(count)
    ]


def overlap(one, other):
    depth = min(len(one.place), len(other.place))
    return one.place[:depth] == other.place[:depth]


@given(versions=registries(), keep=st.integers(1, 4), data=st.data())
def test_what_goes_is_retired_unneeded_old_and_shares_nothing_with_what_stays(versions, keep, data):
    found = retained(data.draw(st.permutations(versions)), keep=keep)
    by_version = {one.version: one for one in versions}
    going = [by_version[one.version] for one in found if one.goes]
    staying = [one for one in versions if one not in going]
    assert {one.version for one in found} == {one.version for one in versions if one.state is State.RETIRED}
    assert all(one.state is State.RETIRED and not one.needed for one in going)
    assert not any(overlap(one, other) for one in going for other in staying)
    newer = defaultdict(int)
    for one in sorted(versions, key=lambda one: -one.order):
        if one.state is State.RETIRED:
            newer[one.model_type] += 1
            assert one not in going or newer[one.model_type] > keep
    # nothing stays without a cause: alone with its bytes, unneeded and old, a retired version goes
    for one in staying:
        if one.state is State.RETIRED and not one.needed:
            rank = sum(
                other.order >= one.order
                for other in versions
                if other.state is State.RETIRED and other.model_type == one.model_type
            )
            assert rank <= keep or any(overlap(one, other) for other in staying if other is not one)
