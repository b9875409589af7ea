"""Several tests at once, held to one level.

Source: Holm (1979), *A simple sequentially rejective multiple test procedure*, Scandinavian Journal of
Statistics 6(2). It holds whatever the dependence between the tests, and rejects all that Bonferroni does.
For many features where some false alarms are fine, :mod:`ordinis_learn.drift.fdr` controls the false-discovery
rate instead.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["holm"]


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return adjusted p-values by name; those at or below the level are rejected.

    At most that share of families then has any false rejection.

    Parameters
    ----------
    p_values : mapping of str to float
        In [0, 1]. NaN stands for a test that could not be made: it counts as a member of the family and its
        adjusted value is 1, because what cannot be evaluated is not evidence.

    Raises
    ------
    ValueError
        A value outside [0, 1].

    Examples
    --------
    >>> holm({"sharpe": 0.01, "drawdown": 0.04, "turnover": 0.03, "hit_rate": 0.005})
    {'sharpe': 0.03, 'drawdown': 0.06, 'turnover': 0.06, 'hit_rate': 0.02}
    >>> holm({"sharpe": 0.02, "drawdown": float("nan")})
    {'sharpe': 0.04, 'drawdown': 1.0}
    """
    known = {name: 1.0 if value != value else value for name, value in p_values.items()}  # noqa: PLR0124  NaN
    outside = {name: value for name, value in known.items() if not 0.0 <= value <= 1.0}
    if outside:
        raise ValueError(f"p-values lie in [0, 1], not {outside}")
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, (name, value) in enumerate(sorted(known.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}
