"""How often worthless candidates pass the offline gate, and how often a better one does, with 95 % Wilson intervals.

``python -m benchmarks.placebo`` from the checkout; minutes. Each candidate is judged as ``ordinis-learn evaluate`` does by
default: 2,000 draws, block length from 100 calibrations.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scipy.stats import binomtest

from ordinis_learn.evaluation import Judgement
from ordinis_learn.rollout import load_policy
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.placebo import BETTER, WORTHLESS, passes_offline
from ordinis_learn.use_cases.evaluate import CALIBRATIONS

FIRST_SEED = 1000
"""The test suite's candidates begin at 0: these are others."""


def main(arguments: list[str]) -> int:
    """Print a line per kind of candidate and one for all worthless ones together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placebo", description=__doc__)
    parser.add_argument("--policy", default="gov_v2")
    parser.add_argument("--worthless", type=int, default=100, help="of each of four kinds")
    parser.add_argument("--better", type=int, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        policy = load_policy(options.policy, settings=load_settings(home=Path(folder)))
    judgement = Judgement(calibrations=CALIBRATIONS)
    asked = dict.fromkeys(WORTHLESS, options.worthless) | dict.fromkeys(BETTER, options.better)
    passed = {}
    for kind, count in asked.items():
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        passed[kind] = sum(passes_offline(kind, seed=s, policy=policy, judgement=judgement) for s in seeds)
        say(kind, passed[kind], count)
    say("all worthless", sum(passed[kind] for kind in WORTHLESS), options.worthless * len(WORTHLESS))
    return 0


def say(kind: str, passed: int, tried: int) -> None:
    """Print a rate with its interval; nothing where none was tried."""
    if not tried:
        return
    interval = binomtest(passed, tried).proportion_ci(method="wilson")
    print(f"{kind}: {passed} of {tried} pass, {interval.low:.3f} to {interval.high:.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
