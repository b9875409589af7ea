import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.errors import ConfigInvalid, RolloutDenied
from ordinis_learn.records import State
from ordinis_learn.rollout.lookalikes import skeleton
from ordinis_learn.rollout.names import fold_name
from ordinis_learn.rollout.states import (
    GOVERNED_ALIASES,
    check_move,
    is_governed_alias,
    mlflow_stage,
    parse_stage,
)

GOOD = {
    "candidate": State.CANDIDATE,
    "None": State.CANDIDATE,
    "none": State.CANDIDATE,
    "SHADOW": State.SHADOW,
    " shadow ": State.SHADOW,
    "Staging": State.SHADOW,
    "Active": State.ACTIVE,
    "production": State.ACTIVE,
    "PRODUCTION": State.ACTIVE,
    "retired": State.RETIRED,
    "Archived": State.RETIRED,
}


@pytest.mark.parametrize(("text", "state"), GOOD.items())
def test_stage_names_of_both_vocabularies_are_read(text, state):
    assert parse_stage(text) is state


@pytest.mark.parametrize("text", ["", "prod", "live", "ACTIVE!", "shadow/active", "stagingg", None, 3])
def test_any_other_stage_name_is_refused_with_both_lists(text):
    with pytest.raises(ConfigInvalid) as caught:
        parse_stage(text)
    assert "candidate, shadow, active, retired" in str(caught.value)
    assert "None, Staging, Production, Archived" in str(caught.value)


@pytest.mark.parametrize("state", State)
def test_a_state_reads_back_from_its_mlflow_stage(state):
    assert parse_stage(mlflow_stage(state)) is state


def test_the_allowed_moves_are_exactly_these():
    allowed = set()
    for move in itertools.product(State, State):
        try:
            check_move(*move)
        except RolloutDenied:
            continue
        allowed.add(move)
    assert allowed == {
        (State.CANDIDATE, State.SHADOW),
        (State.SHADOW, State.ACTIVE),
        (State.CANDIDATE, State.RETIRED),
        (State.SHADOW, State.RETIRED),
        (State.ACTIVE, State.RETIRED),
        (State.RETIRED, State.SHADOW),
    }


def test_a_refused_move_says_which_are_open():
    with pytest.raises(RolloutDenied, match="from CANDIDATE ask for shadow or retired"):
        check_move(State.CANDIDATE, State.ACTIVE)


@pytest.mark.parametrize(
    "alias",
    [
        "active",
        "Active",
        "ACTIVE",
        " active\t",
        "Shadow",
        "last_known_good",
        "LAST_KNOWN_GOOD",
        "ａｃｔｉｖｅ",
        "ſhadow",
        "𝐀ctive",
        "🄰CTIVE",
        "аctive",  # a Cyrillic a
        "ACTİVE",
        "actıve",
        "аⅽtіvе",
        "ѕһаԁоԝ",
        "SНADOW",
        "lаst_known_good",
        "act\u200bive",
        "àctive",
    ],
)
def test_aliases_are_folded_before_they_are_judged(alias):
    assert is_governed_alias(alias)


@pytest.mark.parametrize("alias", ["champion", "actives", "last-known-good", ""])
def test_other_aliases_are_free(alias):
    assert not is_governed_alias(alias)


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert fold_name(fold_name(text)) == fold_name(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_looking_takes_no_plain_name_away(text):
    assert skeleton(text) == fold_name(text)
    assert is_governed_alias(text) == (fold_name(text) in GOVERNED_ALIASES)


@given(st.sampled_from(sorted(GOVERNED_ALIASES)), st.data())
def test_no_mix_of_cases_slips_past(alias, data):
    mixed = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in alias)
    assert is_governed_alias(mixed)
