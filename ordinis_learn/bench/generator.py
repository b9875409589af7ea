"""Draw a benchmark pack from a price history: windows by seed, regimes by rule, stress by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import cycle, islice
from typing import Final

import numpy as np

from ordinis_learn.bench.pack import PRICES_FILE, manifest_hash_of, prices_sha256
from ordinis_learn.bench.regimes import tag_window, volatility_scale
from ordinis_learn.bench.spec import PackSpec
from ordinis_learn.bench.stress import STRESS_VERSION, stress_between
from ordinis_learn.bench.universe import choose_universe
from ordinis_learn.errors import BenchDataMissing
from ordinis_learn.market import INDEX_SYMBOL, WARM_UP_SESSIONS, PriceHistory
from ordinis_learn.records import BenchPackManifest, BenchWindow, Regime

__all__ = ["GENERATOR_VERSION", "SESSIONS_PER_MONTH", "generate_pack"]

GENERATOR_VERSION: Final = "1.0.0"
SESSIONS_PER_MONTH: Final = 21
"""252 sessions a year, the same convention as in the metrics."""


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Positions of a window's first and last session in the sliced history."""

    first: int
    last: int
    months: int
    stress: str | None = None


def generate_pack(history: PriceHistory, spec: PackSpec) -> tuple[BenchPackManifest, PriceHistory]:
    """Draw a pack; the same history and spec give the same manifest and the same prices.

    Windows start on a session of the last ``years_lookback`` years up to ``end`` and last 21 sessions a
    month. Stress periods that lie wholly inside the span are added as windows of their own.

    Returns
    -------
    BenchPackManifest
        ``start`` and ``end`` delimit the span that windows are drawn from.
    PriceHistory
        The span with 253 sessions of warm-up before it, which features need.

    Raises
    ------
    BenchDataMissing
        The history is too short for the span or a window; or a symbol is not there or (strict) has missing closes, and
        strictness is ``fail`` or no symbol is left.

    Examples
    --------
    >>> from ordinis_learn.market import load_sp500
    >>> manifest, prices = generate_pack(load_sp500(), PackSpec(end=date(2021, 12, 31)))
    >>> str(manifest.start), str(manifest.end), len(manifest.windows)
    ('2007-01-03', '2021-12-31', 54)
    >>> str(prices.sessions[0]), prices.close.shape
    ('2005-12-29', (4030, 20))
    """
    prices, dropped = choose_universe(_slice(history, spec), spec)
    stretches = [*_drawn(prices, spec), *(_stress(prices) if spec.include_stress else ())]
    windows = tuple(_tagged(prices, sorted(stretches, key=lambda s: (s.first, s.last, s.stress or ""))))
    unsealed = BenchPackManifest(
        generator_version=GENERATOR_VERSION,
        pack_id=spec.pack_id,
        universe=prices.symbols,
        start=_day(prices, WARM_UP_SESSIONS),
        end=_day(prices, -1),
        timeframe="1d",
        regimes=tuple(regime for regime in Regime if any(regime in window.regimes for window in windows)),
        seed=spec.seed,
        data_refs={
            "prices": PRICES_FILE,
            "index": INDEX_SYMBOL,
            "stress_version": STRESS_VERSION,
            "spec_hash": spec.content_hash(),
        },
        data_sha256=prices_sha256(prices),
        windows=windows,
        manifest_hash="0" * 64,
        dropped_symbols=dropped,
    )
    return unsealed.model_copy(update={"manifest_hash": manifest_hash_of(unsealed)}), prices


def _slice(history: PriceHistory, spec: PackSpec) -> PriceHistory:
    """Return the span with its warm-up in front."""
    asked = f"generate benchmark pack {spec.pack_id!r}"
    if not len(history.sessions):
        raise BenchDataMissing(asked, found="no sessions at all", next_step="capture bars first")
    newest = history.sessions[-1].item()
    end = spec.end or newest
    wanted = np.datetime64(_years_before(end, spec.years_lookback))
    span_first = int(np.searchsorted(history.sessions, wanted, side="right"))
    stop = int(np.searchsorted(history.sessions, np.datetime64(end), side="right"))
    if spec.strict and end > newest:
        raise BenchDataMissing(
            asked,
            found=f"prices end on {newest}, before {end}",
            next_step="choose an earlier --end or capture bars",
        )
    if spec.strict and span_first < WARM_UP_SESSIONS:
        raise BenchDataMissing(
            asked,
            found=f"{span_first} sessions before {wanted}, {WARM_UP_SESSIONS} are needed to warm features up",
            next_step="capture older bars, lower BENCH_YEARS_LOOKBACK, or pass strict=False",
        )
    span_first = max(span_first, WARM_UP_SESSIONS)
    keep = slice(span_first - WARM_UP_SESSIONS, max(stop, span_first - WARM_UP_SESSIONS))
    prices = PriceHistory(
        sessions=history.sessions[keep],
        symbols=history.symbols,
        close=history.close[keep],
        index_close=history.index_close[keep],
    )
    holes = int((~np.isfinite(prices.index_close)).sum())
    if holes:
        raise BenchDataMissing(
            asked,
            found=f"{holes} sessions without a close of the index {INDEX_SYMBOL}; regimes cannot be tagged",
            next_step=f"capture the bars of {INDEX_SYMBOL} for every session",
        )
    return prices


def _drawn(prices: PriceHistory, spec: PackSpec) -> list[_Stretch]:
    """Draw starts by seed, without repeats within a length as long as there are enough sessions."""
    rng = np.random.default_rng(spec.seed)
    lengths = list(islice(cycle(spec.months), spec.windows))
    stretches = []
    for months in dict.fromkeys(spec.months):
        sessions = months * SESSIONS_PER_MONTH
        starts = np.arange(WARM_UP_SESSIONS, len(prices.sessions) - sessions + 1)
        wanted = lengths.count(months)
        if len(starts) < wanted:
            raise BenchDataMissing(
                f"generate benchmark pack {spec.pack_id!r}",
                found=f"{len(starts)} places for {wanted} windows of {months} months ({sessions} sessions)",
                next_step="capture older bars, or lower BENCH_WINDOWS_MONTHS or BENCH_PACKS_PER_UNIVERSE",
            )
        drawn = rng.choice(starts, size=wanted, replace=False)
        stretches += [_Stretch(first=int(s), last=int(s) + sessions - 1, months=months) for s in drawn]
    return stretches


def _stress(prices: PriceHistory) -> list[_Stretch]:
    stretches = []
    for window in stress_between(_day(prices, WARM_UP_SESSIONS), _day(prices, -1)):
        first = int(np.searchsorted(prices.sessions, np.datetime64(window.start)))
        last = int(np.searchsorted(prices.sessions, np.datetime64(window.end), side="right")) - 1
        months = max(1, round((last - first + 1) / SESSIONS_PER_MONTH))
        stretches.append(_Stretch(first=first, last=last, months=months, stress=window.name))
    return stretches


def _tagged(prices: PriceHistory, stretches: Sequence[_Stretch]) -> list[BenchWindow]:
    span = prices.index_close[WARM_UP_SESSIONS - 1 :]
    lengths = {stretch.last - stretch.first + 1 for stretch in stretches}
    scales = {length: volatility_scale(span, sessions=length) for length in lengths}
    return [
        BenchWindow(
            window_id=f"stress_{s.stress}" if s.stress else f"w{s.months:02d}m_{_day(prices, s.first)}",
            start=_day(prices, s.first),
            end=_day(prices, s.last),
            months=s.months,
            regimes=tag_window(
                prices.index_close[s.first - 1 : s.last + 1], scale=scales[s.last - s.first + 1]
            ),
            stress=s.stress,
        )
        for s in stretches
    ]


def _day(prices: PriceHistory, position: int) -> date:
    day: date = prices.sessions[position].item()
    return day


def _years_before(day: date, years: int) -> date:
    leap_day = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year - years, day=28 if leap_day else day.day)
