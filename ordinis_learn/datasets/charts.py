"""Small pictures as inline SVG: nothing is fetched, nothing runs."""

from __future__ import annotations

from html import escape
from typing import Final

from ordinis_learn.records import FeatureProfile

__all__ = ["histogram", "share_bar"]

_WIDTH: Final = 220
_HEIGHT: Final = 44
_BAR: Final = 12


def histogram(profile: FeatureProfile, *, label: str) -> str:
    """Draw the density over the profile's quantile bins: a bin's area is its share of the rows.

    Returns
    -------
    str
        An ``<svg>`` element; empty text where nothing is finite.

    Examples
    --------
    >>> from ordinis_learn.datasets.profile import profile_feature
    >>> histogram(profile_feature([1.0, 2.0, 3.0]), label="x").count("<rect")
    10
    >>> histogram(profile_feature([float("nan")]), label="x")
    ''
    """
    if not profile.counts:
        return ""
    low, high = profile.edges[0], profile.edges[-1]
    span = high - low
    if span <= 0:
        return _svg([_rect(_WIDTH / 2 - 1, 0, 2, _HEIGHT)], label=f"{label}: constant {low:g}")
    # As fractions of the span: a density per unit of the feature would overflow where the span is tiny.
    places = [(edge - low) / span for edge in profile.edges]
    bins = list(zip(places, places[1:], profile.counts, strict=False))
    density = [count / max(right - left, 1e-9) for left, right, count in bins]
    # One narrow bin (many equal values) must not flatten the others to nothing.
    ceiling = min(max(density), 20 * sum(profile.counts))
    bars = [
        _rect(
            _WIDTH * left,
            _HEIGHT * (1 - min(one / ceiling, 1.0)),
            max(_WIDTH * (right - left), 0.5),
            _HEIGHT * min(one / ceiling, 1.0),
        )
        for (left, right, _), one in zip(bins, density, strict=True)
    ]
    return _svg(bars, label=f"{label}: density from {low:.4g} to {high:.4g}")


def share_bar(share: float | None, *, label: str) -> str:
    """Draw a share of one as a filled bar with a mark at one half; empty text where it is undefined."""
    if share is None:
        return ""
    inner = min(max(share, 0.0), 1.0) * _WIDTH
    parts = [
        _rect(0, 0, _WIDTH, _BAR, kind="rest"),
        _rect(0, 0, inner, _BAR),
        _rect(_WIDTH / 2 - 0.5, 0, 1, _BAR, kind="mark"),
    ]
    return _svg(parts, label=f"{label}: {share:.1%}", height=_BAR)


def _rect(x: float, y: float, width: float, height: float, *, kind: str = "bar") -> str:
    return f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'


def _svg(parts: list[str], *, label: str, height: int = _HEIGHT) -> str:
    return (
        f'<svg role="img" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">'
        f"<title>{escape(label)}</title>{''.join(parts)}</svg>"
    )
