"""The distribution of a statistic when nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ordinis_learn.drift.binning import Float1D

__all__ = ["Null"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Null:
    """Draws of a statistic, increasing, the undefined left out."""

    draws: Float1D

    @classmethod
    def of(cls, drawn: Float1D) -> Null:
        """Sort the defined draws."""
        return cls(draws=np.sort(drawn[np.isfinite(drawn)]))

    def threshold(self, alpha: float) -> float:
        """Return the quantile at 1 − alpha; 0 where no draw is defined."""
        return float(np.quantile(self.draws, 1.0 - alpha)) if self.draws.size else 0.0

    def p_values(self, observed: npt.ArrayLike) -> Float1D:
        """Return (1 + #{draws ≥ observed}) / (1 + #draws), never 0 (Davison & Hinkley 1997, 4.2); 1 for NaN.

        Examples
        --------
        >>> Null.of(np.array([3.0, 1.0, 2.0])).p_values([2.5, 9.0, np.nan]).tolist()
        [0.5, 0.25, 1.0]
        """
        values = np.asarray(observed, dtype=np.float64)
        larger = len(self.draws) - np.searchsorted(self.draws, values, side="left")
        return np.where(np.isnan(values), 1.0, (1 + larger) / (1 + len(self.draws)))
