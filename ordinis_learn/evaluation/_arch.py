"""The package ``arch``, an extra: tests of several candidates against one benchmark at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from arch.bootstrap import SPA, StepM

__all__ = ["SuperiorAbility", "superior_ability"]

Float1D = npt.NDArray[np.float64]
Float2D = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class SuperiorAbility:
    """P-values against "no candidate is better", and the columns that the stepwise test finds better."""

    p_lower: float
    p_consistent: float
    p_upper: float
    better: tuple[int, ...]


def superior_ability(
    benchmark: Float1D,
    candidates: Float2D,
    *,
    block_length: int,
    draws: int,
    alpha: float,
    seed: int,
) -> SuperiorAbility:
    """Test candidates against a benchmark by losses, shapes (T,) and (T, K); smaller is better.

    The observed sample counts as one more draw, so that no p-value is 0.
    """
    options = {"block_size": block_length, "reps": draws, "bootstrap": "circular"}
    spa = SPA(benchmark, candidates, seed=seed, **options)
    spa.compute()
    step = StepM(benchmark, candidates, size=alpha, seed=seed, **options)
    step.compute()
    lower, consistent, upper = (
        (float(spa.pvalues[name]) * draws + 1.0) / (draws + 1.0) for name in ("lower", "consistent", "upper")
    )
    return SuperiorAbility(
        p_lower=lower,
        p_consistent=consistent,
        p_upper=upper,
        better=tuple(sorted(int(column) for column in step.superior_models)),
    )
