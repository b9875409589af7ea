"""One desk per home."""

from __future__ import annotations

import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.loop.plan import LoopPlan, keep_to_one_desk


def test_another_seed_in_the_same_home_is_refused_before_anything_is_captured(tmp_path):
    marker = tmp_path / "data" / "loop.json"
    keep_to_one_desk(marker, LoopPlan(seed=7))
    keep_to_one_desk(marker, LoopPlan(seed=7, trials=2))
    with pytest.raises(ConfigInvalid, match="--seed 7"):
        keep_to_one_desk(marker, LoopPlan(seed=8))


def test_the_stretches_do_not_overlap():
    plan = LoopPlan()
    ends = [plan.train_end, plan.pack_end, plan.first_shadow[1], plan.second_shadow[1]]
    starts = [plan.first_shadow[0], plan.second_shadow[0]]
    assert ends == sorted(ends)
    assert plan.pack_end < starts[0] <= plan.first_shadow[1] < starts[1]
