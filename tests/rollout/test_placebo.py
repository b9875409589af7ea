"""Do worthless candidates get through the offline gate, and does a better one?

Each candidate meets the incumbent in a market of its own, so that candidates are independent tries. What is asked
is what ``gov_v1`` asks of scorecards before anything is run in shadow.
"""

import zlib

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from ordinis_learn.evaluation import Judgement, Track, Tried
from ordinis_learn.evaluation.scorecard import judge_tracks
from ordinis_learn.market import simulate_history
from ordinis_learn.records import State
from ordinis_learn.rollout import evidence_hash, load_policy
from ordinis_learn.rollout.rules import RULES, Context

OFFLINE = ("delta_sharpe", "sharpe_significant", "deflated_sharpe", "drawdown_tolerance")
SESSIONS = 2500
ALPHA = 0.05
TRIES = 60

pytestmark = pytest.mark.slow


def weekly(rng, choices):
    return np.repeat(rng.choice(choices, SESSIONS // 5), 5)


def random_exposure(rng, market, position):
    return market * position * weekly(rng, [0.0, 1.0, 1.0, 1.0, 1.0])


def lagged(rng, market, position):
    return market * np.roll(position, 5 * int(rng.integers(1, 100)))


def sign_flipped(rng, market, position):
    return market * position * weekly(rng, [-1.0, 1.0, 1.0, 1.0])


def noisy(rng, market, position):
    return market * position + rng.normal(0.0, 0.3 * (market * position).std(), SESSIONS)


def planted(rng, market, position):
    """The incumbent and a second source of return: annual Sharpe ratio 2, two fifths of its volatility."""
    spread = 0.4 * (market * position).std()
    return market * position + rng.normal(2.0 / np.sqrt(252) * spread, spread, SESSIONS)


def track(returns):
    once = np.ones(len(returns))
    return Track(returns=returns, turnover=once, exposure=once, errors=0, error_rate=0.0, quarantine_rate=0.0)


def passes(kind, *, seed, make, rules):
    rng = np.random.default_rng([seed, zlib.crc32(kind.__name__.encode())])
    index = simulate_history(
        sessions=SESSIONS + 1, symbols=1, seed=int(rng.integers(1 << 31)), annual_drift=0.08
    ).index_close
    market = np.diff(index) / index[:-1]
    position = weekly(rng, [0.5, 1.0])
    own, other = track(kind(rng, market, position)), track(market * position)
    everything = np.ones(SESSIONS, dtype=bool)
    tried = Tried(count=12, variance=0.01**2, earlier_sharpes=())
    found = judge_tracks(own, other, keep=everything, tried=tried, seed=seed, judgement=Judgement(draws=199))
    card = make.scorecard(**found, trials=12, sessions=SESSIONS)
    evidence = make.evidence(scorecards={make.pack: card})
    context = Context(
        evidence=evidence,
        evidence_hash=evidence_hash(evidence),
        packs=(make.pack,),
        to_state=State.ACTIVE,
        requester=make.requester,
        now=make.now,
    )
    return all(RULES[name].verdict(context, rules[name]).passed for name in OFFLINE)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The parameters that ``gov_v1`` has for the rules about scorecards."""
    from ordinis_learn.settings import load_settings

    policy = load_policy("gov_v1", settings=load_settings(home=tmp_path_factory.mktemp("home")))
    asked = policy.to_json()["rules"]["signal_model"]["active"]["default"]
    return {one["rule"]: one["params"] for one in asked}


def rate(kinds, *, make, rules):
    outcomes = [passes(kind, seed=seed, make=make, rules=rules) for kind in kinds for seed in range(TRIES)]
    interval = binomtest(sum(outcomes), len(outcomes)).proportion_ci(method="wilson")
    print(f"{sum(outcomes)} of {len(outcomes)} passed: [{interval.low:.3f}, {interval.high:.3f}]")  # noqa: T201  the rates are what one wants to read
    return sum(outcomes), len(outcomes), interval


def test_worthless_candidates_pass_at_most_at_the_stated_level(make, rules):
    passed, tried, _ = rate((random_exposure, lagged, sign_flipped, noisy), make=make, rules=rules)
    assert passed <= binom.ppf(0.999, tried, ALPHA)


def test_a_better_one_passes_most_of_the_time(make, rules):
    _, _, interval = rate((planted,), make=make, rules=rules)
    assert interval.low > 0.5
