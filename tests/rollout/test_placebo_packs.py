"""Does a prompt pack that is worse by a margin get through the paired rules, and does one just as good?

``python -m benchmarks.placebo --packs 400`` asks more of them.
"""

import pytest
from scipy.stats import binom, binomtest

from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout import load_policy
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.placebo_packs import EQUAL, WORSE_PACKS, pack_verdicts

ALPHA = 0.025
PACKS = 25

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy("gov_v3", settings=load_settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def margins(policy):
    specs = policy.specs(ModelType.PROMPT_PACK, to_state=State.ACTIVE, first_model=False)
    return {
        spec.params["name"]: spec.params["margin"] for spec in specs if spec.rule == "measure_not_inferior"
    }


def test_one_that_is_worse_by_the_margin_passes_at_most_at_the_stated_level(policy, margins):
    assert set(margins) == set(WORSE_PACKS)
    passed = sum(
        pack_verdicts(worse, margin=margin, items=200, seed=seed, policy=policy, draws=499)[
            f"measure_not_inferior:{worse}"
        ]
        for worse, margin in margins.items()
        for seed in range(PACKS)
    )
    assert passed <= binom.ppf(0.999, PACKS * len(margins), ALPHA)


def test_a_hundred_groups_of_documents_cannot_show_three_points(policy):
    """Two questions on each: however alike two packs are, one that keeps to its schema less often cannot be told apart."""
    rule = "measure_not_inferior:schema_valid_rate"
    found = [
        pack_verdicts(EQUAL, margin=0.0, items=200, seed=seed, policy=policy, draws=499) for seed in range(3)
    ]
    assert [verdicts[rule] for verdicts in found] == [False] * 3


@pytest.mark.parametrize("items", [300, 400])
def test_one_just_as_good_passes_most_of_the_time(policy, items):
    passed = sum(
        all(pack_verdicts(EQUAL, margin=0.0, items=items, seed=seed, policy=policy, draws=499).values())
        for seed in range(PACKS)
    )
    assert binomtest(passed, PACKS).proportion_ci(method="wilson").low > 0.5
