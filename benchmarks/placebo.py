"""How often worthless candidates pass the offline gate, and how often a better one does, with 95 % Wilson intervals.

``python -m benchmarks.placebo`` from the checkout; minutes. Each candidate is judged as ``ordinis-learn evaluate`` does by
default: 2,000 draws, block length from 100 calibrations. ``--packs 400`` asks the same of prompt packs instead: of each measure,
packs that are worse in it by exactly the policy's margin, which its own rule is to stop, and packs that are just as good,
which all rules about scorecards together are to let through.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from scipy.stats import binomtest

from ordinis_learn.evaluation import Judgement
from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout import load_policy
from ordinis_learn.rollout.policy import Policy
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.placebo import BETTER, WORTHLESS, passes_offline
from ordinis_learn.testing.placebo_packs import EQUAL, pack_verdicts
from ordinis_learn.use_cases.evaluate import CALIBRATIONS

FIRST_SEED = 1000
"""The test suite's candidates begin at 0: these are others."""


def main(arguments: list[str]) -> int:
    """Print a line per kind of candidate and one for all worthless ones together."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.placebo", description=__doc__)
    parser.add_argument("--policy", default="gov_v2")
    parser.add_argument("--worthless", type=int, default=100, help="of each of four kinds")
    parser.add_argument("--better", type=int, default=60)
    parser.add_argument("--packs", type=int, default=0, help="of each kind, over 200 and over 500 questions")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder))
        policy = load_policy("gov_v3" if options.packs else options.policy, settings=settings)
    if options.packs:
        for items in (200, 500):
            ask_packs(policy, items=items, count=options.packs)
        return 0
    judgement = Judgement(calibrations=CALIBRATIONS)
    asked = dict.fromkeys(WORTHLESS, options.worthless) | dict.fromkeys(BETTER, options.better)
    passed = {}
    for kind, count in asked.items():
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        passed[kind] = sum(passes_offline(kind, seed=s, policy=policy, judgement=judgement) for s in seeds)
        say(kind, passed[kind], count)
    say("all worthless", sum(passed[kind] for kind in WORTHLESS), options.worthless * len(WORTHLESS))
    return 0


def ask_packs(policy: Policy, *, items: int, count: int) -> None:
    """Print how often packs that are worse by the margin pass the rule about it, and how often equal ones pass all."""
    specs = policy.specs(ModelType.PROMPT_PACK, to_state=State.ACTIVE, first_model=False)
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    for spec in specs:
        if spec.rule != "measure_not_inferior":
            continue
        worse, margin = spec.params["name"], spec.params["margin"]
        rule = f"{spec.rule}:{worse}"
        passed = sum(
            pack_verdicts(worse, margin=margin, items=items, seed=s, policy=policy)[rule] for s in seeds
        )
        say(f"{items} questions, {worse} worse by {margin:g}", passed, count)
    equal = [pack_verdicts(EQUAL, margin=0.0, items=items, seed=s, policy=policy) for s in seeds]
    say(f"{items} questions, just as good", sum(all(one.values()) for one in equal), count)


def say(kind: str, passed: int, tried: int) -> None:
    """Print a rate with its interval; nothing where none was tried."""
    if not tried:
        return
    interval = binomtest(passed, tried).proportion_ci(method="wilson")
    print(f"{kind}: {passed} of {tried} pass, {interval.low:.3f} to {interval.high:.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
