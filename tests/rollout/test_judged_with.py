"""A card that was judged with other costs or limits than the policy assumes does not pass unseen."""

from __future__ import annotations

import pytest

from ordinis_learn.records import ModelType, State, TradingLimits
from ordinis_learn.rollout import load_policy
from ordinis_learn.rollout.rules import RULES, Context
from ordinis_learn.settings import load_settings

ASKED = {"fee_bps": 1.0, "slippage_bps": 5.0}


@pytest.fixture
def judged(make):
    def judge(params=ASKED, **changes):
        card = make.scorecard(**changes)
        context = Context(
            evidence=make.evidence(scorecards={card.pack_id: card}),
            evidence_hash="e" * 64,
            packs=(card.pack_id,),
            to_state=State.ACTIVE,
            requester=make.requester,
            now=make.now,
        )
        return RULES["scorecards_judged_with"].verdict(context, params)

    return judge


def test_the_usual_costs_pass_whether_the_limits_are_named_or_not(judged):
    assert judged().verdict == "pass"
    assert judged(trading=TradingLimits()).verdict == "pass"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fee_bps": 0.0}, "fee_bps 0, not 1"),
        ({"slippage_bps": 4.0}, "slippage_bps 4, not 5"),
        ({"trading": TradingLimits(shorts=False)}, "shorts barred, not allowed"),
        ({"trading": TradingLimits(borrow_bps=50.0)}, "borrow_bps 50, not 0"),
        ({"trading": TradingLimits(max_position=0.2)}, "max_position 0.2, not 1"),
        ({"trading": TradingLimits(max_gross=2.0)}, "max_gross 2, not 1"),
        ({"fee_bps": 0.0, "slippage_bps": 0.0}, "fee_bps 0, not 1; slippage_bps 0, not 5"),
    ],
)
def test_any_difference_is_refused_and_names_both(judged, changes, said):
    found = judged(**changes)
    assert (found.verdict, found.found) == ("fail", f"bench_core_v1: {said}")
    assert "BENCH_*" in found.next_step


def test_a_policy_may_assume_otherwise_and_then_the_usual_card_is_refused(judged):
    long_only = ASKED | {"shorts": False}
    assert judged(long_only, trading=TradingLimits(shorts=False)).verdict == "pass"
    assert judged(long_only).verdict == "fail"


@pytest.mark.parametrize("spoiled", [{}, {"fee_bps": -1.0, "slippage_bps": 5.0}, ASKED | {"shorts": 1}])
def test_assumptions_that_are_none_close_the_gate(judged, spoiled):
    assert judged(spoiled).verdict == "not_evaluable"


@pytest.mark.parametrize("to_state", [State.SHADOW, State.ACTIVE])
@pytest.mark.parametrize("first_model", [False, True])
def test_the_default_policy_asks_for_the_settings_of_the_one_who_decides(tmp_path, to_state, first_model):
    settings = load_settings(home=tmp_path, bench_shorts=False, bench_borrow_bps=30.0)
    specs = load_policy("gov_v3", settings=settings).specs(
        ModelType.SIGNAL_MODEL, to_state=to_state, first_model=first_model
    )
    (params,) = [spec.params for spec in specs if spec.rule == "scorecards_judged_with"]
    assert params == ASKED | {"borrow_bps": 30.0, "max_gross": 1.0, "max_position": 1.0, "shorts": False}
