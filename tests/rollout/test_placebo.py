"""Do worthless candidates get through the offline gate, and does a better one?

The block length is calibrated as ``ordinis-learn evaluate`` does by default; ``benchmarks/bench_placebo.py`` asks more candidates.
"""

import pytest
from scipy.stats import binom, binomtest

from ordinis_learn.evaluation import Judgement
from ordinis_learn.rollout import load_policy
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.placebo import BETTER, WORTHLESS, passes_offline
from ordinis_learn.use_cases.evaluate import CALIBRATIONS

ALPHA = 0.05
THOROUGH = Judgement(draws=199, calibrations=CALIBRATIONS)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    return load_policy("gov_v2", settings=load_settings(home=tmp_path_factory.mktemp("home")))


def rate(kinds, *, policy, seeds):
    outcomes = [
        passes_offline(kind, seed=seed, policy=policy, judgement=THOROUGH)
        for kind in kinds
        for seed in range(seeds)
    ]
    interval = binomtest(sum(outcomes), len(outcomes)).proportion_ci(method="wilson")
    print(f"{sum(outcomes)} of {len(outcomes)} passed: [{interval.low:.3f}, {interval.high:.3f}]")  # noqa: T201  the rates are what one wants to read
    return sum(outcomes), len(outcomes), interval


def test_worthless_candidates_pass_at_most_at_the_stated_level(policy):
    passed, tried, _ = rate(WORTHLESS, policy=policy, seeds=60)
    assert passed <= binom.ppf(0.999, tried, ALPHA)


def test_a_better_one_passes_most_of_the_time(policy):
    _, _, interval = rate(BETTER, policy=policy, seeds=12)
    assert interval.low > 0.5
