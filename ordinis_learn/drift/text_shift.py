"""How far texts have come to lie elsewhere, as vectors, beside what days differ by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.answer_days import AnswerVectors
from ordinis_learn.drift.binning import Int1D
from ordinis_learn.drift.calibration import plan_blocks
from ordinis_learn.drift.domain_classifier import MATERIAL_AUC
from ordinis_learn.drift.measurement import Judgement, Measured
from ordinis_learn.drift.mmd import maximum_mean_discrepancy

__all__ = ["measure_text_shift"]


def measure_text_shift(
    feature: str,
    before: AnswerVectors,
    now: AnswerVectors,
    *,
    days: int,
    units: tuple[Int1D, Int1D] | None = None,
    judgement: Judgement,
) -> Measured | None:
    """Compare two sets of texts by their maximum mean discrepancy; None where there are too few units to tell.

    Parameters
    ----------
    feature : str
        What the finding is about.
    before, now : AnswerVectors
    days : int
        That the reference spans.
    units : two int arrays, optional
        What moves together on either side. Default: stretches of days as long as the reference's memory.
    """
    if not len(before.vectors) or not len(now.vectors):
        return None
    if units is None:
        memory = _memory(before, days=days)
        units = before.day // memory, now.day // memory
    found = maximum_mean_discrepancy(
        before.vectors.astype(np.float64),
        now.vectors.astype(np.float64),
        reference_unit=units[0],
        current_unit=units[1],
        draws=judgement.draws,
        seed=judgement.seed,
    )
    if found is None:
        return None
    return Measured(
        feature=feature,
        metric="embedding_mmd",
        values=np.sqrt(np.maximum([found.squared], 0.0)),
        threshold=float(np.sqrt(max(np.quantile(found.mixed, 1.0 - judgement.alpha), 0.0))),
        p_values=np.array([found.p_value]),
        effects=np.array([max(found.area - 0.5, 0.0) / (MATERIAL_AUC - 0.5)]),
    )


def _memory(vectors: AnswerVectors, *, days: int) -> int:
    """Return how many days remember each other: the memory of the days' mean along the direction in which they differ most."""
    present, day = np.unique(vectors.day, return_inverse=True)
    means = np.zeros((len(present), vectors.vectors.shape[1]))
    np.add.at(means, day, vectors.vectors)
    means /= np.bincount(day)[:, None]
    _, _, directions = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    along: npt.NDArray[np.float64] = (means - means.mean(axis=0)) @ directions[0]
    return plan_blocks(along, current_sessions=max(days // 4, 1)).block_sessions
