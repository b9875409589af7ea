"""Which symbols a pack is made of, and why others that were asked for are not in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ordinis_learn.bench.spec import PackSpec
from ordinis_learn.errors import BenchDataMissing
from ordinis_learn.market import PriceHistory

__all__ = ["choose_universe"]


def choose_universe(prices: PriceHistory, spec: PackSpec) -> tuple[PriceHistory, dict[str, str]]:
    """Return the prices of the pack's symbols, and a reason for each symbol that is not among them.

    Parameters
    ----------
    prices : PriceHistory
        The pack's span with its warm-up.
    spec : PackSpec
        Symbols of the history that it does not ask for are left away without a word.

    Raises
    ------
    BenchDataMissing
        A symbol is missing and strictness is ``fail``, or none is left.
    """
    asked = f"generate benchmark pack {spec.pack_id!r}"
    wanted = prices.symbols if spec.universe is None else tuple(dict.fromkeys(spec.universe))
    absent = {name: "no bar was captured" for name in wanted if name not in prices.symbols}
    chosen = _only(prices, [name for name in prices.symbols if name in wanted])
    missing = absent | _holed(chosen, spec)
    if missing and spec.strictness == "fail":
        raise BenchDataMissing(
            asked,
            found="; ".join(f"{name}: {why}" for name, why in missing.items()),
            next_step="capture the missing bars, or leave these symbols out with --strictness drop",
            symbols=list(missing),
        )
    kept = _only(chosen, [name for name in chosen.symbols if name not in missing])
    if not kept.symbols:
        raise BenchDataMissing(
            asked,
            found=f"none of {len(wanted)} symbols has the bars that are needed",
            next_step="capture their bars, or ask for other symbols",
            symbols=list(missing),
        )
    return kept, missing


def _holed(prices: PriceHistory, spec: PackSpec) -> dict[str, str]:
    """Return the symbols whose gaps are not tolerated; without ``strict`` only those that have no close at all."""
    gaps = ~np.isfinite(prices.close)
    most = len(prices.sessions) if not spec.strict else 1
    return {
        name: f"{int(gaps[:, n].sum())} of {len(prices.sessions)} closes missing, "
        f"the first on {prices.sessions[int(gaps[:, n].argmax())]}"
        for n, name in enumerate(prices.symbols)
        if gaps[:, n].sum() >= most
    }


def _only(prices: PriceHistory, symbols: list[str]) -> PriceHistory:
    columns = [prices.symbols.index(name) for name in symbols]
    return replace(prices, symbols=tuple(symbols), close=prices.close[:, columns])
