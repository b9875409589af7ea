"""What the scorecards of a question pack have in common, whether answers or rankings were judged.

The record is the one of all models: ``sessions`` counts questions, ``windows`` clusters of documents, ``purged_windows`` names
questions that the subject has seen; costs and Sharpe ratios do not apply (0 and None).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.question_pack import QuestionPack
from ordinis_learn.errors import EvalFailed
from ordinis_learn.ports import Clock
from ordinis_learn.records import ModelArtifact, PairedDifference, Scorecard

__all__ = ["made_or_told", "question_scorecard"]


def question_scorecard(
    pack: QuestionPack,
    *,
    clusters: npt.NDArray[np.int64],
    artifact: ModelArtifact,
    earlier_trials: int,
    clock: Clock,
    **found: Any,
) -> Scorecard:
    """Write the scorecard of a subject over the questions that ``clusters`` has a number for."""
    return Scorecard(
        pack_id=pack.manifest.pack_id,
        pack_hash=pack.manifest.items_sha256,
        regimes=(),
        windows=len(np.unique(clusters)),
        sessions=len(clusters),
        trials=artifact.trials + earlier_trials,
        probabilistic_sharpe=None,
        deflated_sharpe=None,
        fee_bps=0.0,
        slippage_bps=0.0,
        dataset_ref=pack.manifest.source_ref,
        created_at=clock(),
        **found,
    )


def made_or_told(
    made: Mapping[str, Callable[[], PairedDifference]],
) -> tuple[dict[str, PairedDifference], dict[str, str]]:
    """Make each difference; return them by name, and for each that could not be made ``difference.<name>`` with the reason.

    A measure less is told, not lost: the gate finds no difference and says so.
    """
    differences, undecided = {}, {}
    for name, make in made.items():
        try:
            differences[name] = make()
        except EvalFailed as error:
            undecided[f"difference.{name}"] = f"undefined: {error.found}"
    return differences, undecided
