"""Two prompt packs over the same questions: rates by the exact McNemar test, coverage by a bootstrap over documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.outcome import Outcome
from ordinis_learn.answers.question_scorecard import made_or_told
from ordinis_learn.evaluation import compare_shares, rate_verdict, share_verdict
from ordinis_learn.records import PairedDifference

__all__ = ["compare_answers"]


def compare_answers(
    subject: Sequence[Outcome],
    baseline: Sequence[Outcome],
    *,
    clusters: npt.NDArray[np.int64],
    seed: int,
    draws: int = 10_000,
) -> tuple[dict[str, PairedDifference], dict[str, str]]:
    """Compare judged answers to the same questions, in the same order.

    Validity is compared over the questions that neither side refused, refusals over those that both answered,
    coverage over those on which both claim something.

    Returns
    -------
    tuple of dict and dict
        Differences by measure, and for each that could not be made ``difference.<measure>`` with the reason.
    """
    pairs = list(zip(subject, baseline, strict=True))
    spoken = [(one, other) for one, other in pairs if not one.refused and not other.refused]
    answered = [(one, other) for one, other in pairs if not one.failed and not other.failed]
    made: dict[str, Callable[[], PairedDifference]] = {
        "schema_valid_rate": lambda: rate_verdict(
            "schema_valid_rate", *_flags(spoken, lambda outcome: outcome.valid)
        ),
        "schema_valid_rate_before_repair": lambda: rate_verdict(
            "schema_valid_rate_before_repair", *_flags(spoken, lambda outcome: outcome.valid_before_repair)
        ),
        "refusal_rate": lambda: rate_verdict(
            "refusal_rate", *_flags(answered, lambda outcome: outcome.refused), better="lower"
        ),
        "citation_coverage": lambda: _coverage(pairs, clusters=clusters, seed=seed, draws=draws),
    }
    return made_or_told(made)


def _flags(
    pairs: Sequence[tuple[Outcome, Outcome]], flag: Callable[[Outcome], bool]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    return (
        np.array([flag(one) for one, _ in pairs], dtype=np.bool_),
        np.array([flag(other) for _, other in pairs], dtype=np.bool_),
    )


def _coverage(
    pairs: Sequence[tuple[Outcome, Outcome]], *, clusters: npt.NDArray[np.int64], seed: int, draws: int
) -> PairedDifference:
    kept = [
        place for place, (one, other) in enumerate(pairs) if one.coverage.claims and other.coverage.claims
    ]
    counts = np.array(
        [[(side.coverage.covered, side.coverage.claims) for side in pairs[place]] for place in kept],
        dtype=np.float64,
    ).reshape(len(kept), 2, 2)
    found = compare_shares(counts[:, 0], counts[:, 1], clusters=clusters[kept], seed=seed, draws=draws)
    return share_verdict("citation_coverage", found, items=len(kept))
