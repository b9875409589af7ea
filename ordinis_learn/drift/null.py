"""The distribution of a statistic when nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from ordinis_learn.drift.binning import Float1D

__all__ = ["Null", "WindowLaw"]


@dataclass(frozen=True, kw_only=True)
class WindowLaw:
    """The logarithm of a distance as one more window of the reference would show it: Student's prediction law.

    Attributes
    ----------
    mean, spread : float
        Of the logarithm over the windows; ``spread`` already holds that the next window is new and the mean estimated.
    windows : float
        How many lie end to end in the reference: those that overlap are no news.
    """

    mean: float
    spread: float
    windows: float

    @classmethod
    def of(cls, distances: Float1D, *, windows: float) -> WindowLaw | None:
        """Fit it; None where a distance is 0 or undefined, or all are equal: then it has no law of this kind."""
        if len(distances) < 2 or not (distances > 0).all():
            return None
        logarithm = np.log(distances)
        spread = float(logarithm.std(ddof=1)) * np.sqrt(1.0 + 1.0 / windows)
        return cls(mean=float(logarithm.mean()), spread=spread, windows=windows) if spread > 0 else None

    def p_values(self, observed: Float1D) -> Float1D:
        """Return the probability of a larger distance; 1 for 0 or less."""
        positive = observed > 0
        z = (np.log(np.where(positive, observed, 1.0)) - self.mean) / self.spread
        tail: Float1D = student.sf(z, self.windows - 1.0)
        return np.where(positive, tail, 1.0)

    def threshold(self, alpha: float) -> float:
        """Return the distance that is exceeded with probability alpha."""
        return float(np.exp(self.mean + self.spread * student.ppf(1.0 - alpha, self.windows - 1.0)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Null:
    """Draws of a statistic, increasing, the undefined left out; and how whole windows of the reference vary.

    Two views of the same noise, of which the more cautious holds. Resampled blocks reach small p-values, but forget what
    lasts longer than a block: the volatility of markets remembers for years. Whole windows forget nothing, but there are
    few of them.
    """

    draws: Float1D
    windows: WindowLaw | None = None

    @classmethod
    def of(cls, drawn: Float1D, *, windows: WindowLaw | None = None) -> Null:
        """Sort the defined draws."""
        return cls(draws=np.sort(drawn[np.isfinite(drawn)]), windows=windows)

    def threshold(self, alpha: float) -> float:
        """Return the quantile at 1 − alpha; 0 where no draw is defined."""
        of_blocks = float(np.quantile(self.draws, 1.0 - alpha)) if self.draws.size else 0.0
        return of_blocks if self.windows is None else max(of_blocks, self.windows.threshold(alpha))

    def p_values(self, observed: npt.ArrayLike) -> Float1D:
        """Return (1 + #{draws ≥ observed}) / (1 + #draws), never 0 (Davison & Hinkley 1997, 4.2); 1 for NaN.

        Where the windows have a law, the larger of both.

        Examples
        --------
        >>> Null.of(np.array([3.0, 1.0, 2.0])).p_values([2.5, 9.0, np.nan]).tolist()
        [0.5, 0.25, 1.0]
        """
        values = np.asarray(observed, dtype=np.float64)
        larger = len(self.draws) - np.searchsorted(self.draws, values, side="left")
        of_blocks = np.where(np.isnan(values), 1.0, (1 + larger) / (1 + len(self.draws)))
        return of_blocks if self.windows is None else np.maximum(of_blocks, self.windows.p_values(values))
