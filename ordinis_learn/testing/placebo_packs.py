"""Prompt packs that are worse by a margin, and ones just as good, for the question whether a gate tells them apart.

Each candidate meets the incumbent on questions of its own. Two questions lean on each document, whose answers succeed or
fail together; on seven questions of ten both packs have the same luck, because some questions are hard for anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers import Answer, Coverage, Outcome, compare_answers, measure_answers
from ordinis_learn.records import ModelType, State
from ordinis_learn.rollout.policy import Policy, RuleSpec
from ordinis_learn.rollout.rules import RULES
from ordinis_learn.testing.placebo import paired_scorecard, placebo_context

__all__ = ["EQUAL", "WORSE_PACKS", "pack_verdicts"]

Float2D = npt.NDArray[np.float64]

_PACK: Final = "prompt_eval_v1"
_EACH: Final = 2
"""Questions per document."""
_SHARED_LUCK: Final = 0.7
_BY_DOCUMENT: Final = 4.0
"""Of the beta distribution of documents: an intra-document correlation of 0.2."""
_CLAIMS: Final = 3
_MORE_DOCUMENTS: Final = 4
"""Documents that a claim could cite beyond the first."""
_ACTIVE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "schema_valid_rate": 0.996,
        "refusal_rate": 0.02,
        "citation_coverage": 0.9,
        "citation_surplus": 0.05,
        "citation_accuracy": 0.8,
    }
)
_RULES: Final = frozenset({"scorecard_metric", "measure_not_inferior"})

EQUAL: Final = "equal"
WORSE_PACKS: Final = tuple(_ACTIVE)
"""Names of the measures in which a candidate may be worse."""


def pack_verdicts(
    worse: str, *, margin: float, items: int, seed: int, policy: Policy, draws: int = 999
) -> dict[str, bool]:
    """Draw one candidate; return whether it passes each rule of a policy about a pack's scorecard.

    Parameters
    ----------
    worse : str
        The measure in which it is worse, of :data:`WORSE_PACKS`, or :data:`EQUAL`.
    margin : float
        By how much, in truth.
    items : int
        Questions, two per document.
    seed : int
        The same one gives the same candidate, questions and answer.

    Examples
    --------
    >>> from ordinis_learn.rollout import load_policy
    >>> from ordinis_learn.settings import load_settings
    >>> policy = load_policy("gov_v3", settings=load_settings())
    >>> found = pack_verdicts("refusal_rate", margin=0.3, items=400, seed=1, policy=policy)
    >>> found["measure_not_inferior:refusal_rate"], found["measure_not_inferior:schema_valid_rate"]
    (False, True)
    """
    rng = np.random.default_rng(seed)
    rates = dict(_ACTIVE)
    if worse != EQUAL:
        rates[worse] += margin if worse in ("refusal_rate", "citation_surplus") else -margin
    documents = {name: rng.random(items // _EACH) for name in _ACTIVE}
    luck = rng.random((2, items, 2 + 3 * _CLAIMS + _CLAIMS * _MORE_DOCUMENTS))
    luck[1] = np.where(rng.random((items, 1)) < _SHARED_LUCK, luck[0], luck[1])
    active = _answers(_ACTIVE, luck[0], documents=documents)
    candidate = _answers(rates, luck[1], documents=documents)
    clusters = np.arange(items, dtype=np.int64) // _EACH
    differences, undecided = compare_answers(candidate, active, clusters=clusters, seed=seed, draws=draws)
    measured = measure_answers(candidate)
    card = paired_scorecard(
        _PACK,
        sessions=items,
        metrics=measured.nullable(),
        differences=differences,
        metric_quality=measured.quality | undecided,
    )
    context = placebo_context(card)
    return {
        RULES[spec.rule].label(spec.params): RULES[spec.rule].verdict(context, spec.params).passed
        for spec in _specs(policy)
    }


def _specs(policy: Policy) -> Sequence[RuleSpec]:
    specs = policy.specs(ModelType.PROMPT_PACK, to_state=State.ACTIVE, first_model=False)
    return [spec for spec in specs if spec.rule in _RULES]


def _answers(
    rates: Mapping[str, float], luck: Float2D, *, documents: Mapping[str, npt.NDArray[np.float64]]
) -> list[Outcome]:
    """Turn luck, shape (items, numbers), into answers whose rates are those given, over all documents there could be."""
    items = len(luck)
    invalid, refused, claims = luck[:, 0], luck[:, 1], luck[:, 2:]
    covered_luck, right_luck, _, surplus_luck = np.split(claims, [_CLAIMS, 2 * _CLAIMS, 3 * _CLAIMS], axis=1)
    # A document is good or bad for both packs alike; what it leaves open is each question's own luck.
    chance = {name: _by_document(rates[name], places, items) for name, places in documents.items()}
    covered = covered_luck < chance["citation_coverage"][:, None]
    right = right_luck[:, 0] < chance["citation_accuracy"]
    declined = refused < chance["refusal_rate"]
    surplus = (surplus_luck < rates["citation_surplus"]).mean(axis=1) * _CLAIMS
    return [
        Outcome(
            item_id=str(place),
            valid_before_repair=True,
            valid=bool(invalid[place] < chance["schema_valid_rate"][place] and not declined[place]),
            refused=bool(declined[place]),
            failed=False,
            coverage=Coverage(
                claims=_CLAIMS,
                covered=int(covered[place].sum()),
                cited=1,
                resolved=1,
                documents=frozenset({"right" if right[place] else "wrong"}),
                surplus=float(surplus[place]),
            ),
            required=1,
            required_cited=int(right[place]),
            answer=Answer(text="…", latency_ms=1.0),
        )
        for place in range(items)
    ]


def _by_document(rate: float, places: npt.NDArray[np.float64], items: int) -> npt.NDArray[np.float64]:
    """Return each question's chance, shape (items,): that of its document, with the rate as their mean."""
    from scipy.stats import beta  # noqa: PLC0415  a slow import, for simulations only

    chances: npt.NDArray[np.float64] = beta.ppf(places, rate * _BY_DOCUMENT, (1.0 - rate) * _BY_DOCUMENT)
    return np.repeat(chances, _EACH)[:items]
