"""Generate a benchmark pack from the captured bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from ordinis_learn.bench import PackSpec, generate_pack, write_pack
from ordinis_learn.capture import price_history
from ordinis_learn.records import BenchPackManifest
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.workbench import Workbench

__all__ = ["generate_bench_pack", "pack_spec"]


def pack_spec(
    settings: Settings,
    *,
    pack_id: str,
    seed: int,
    end: date | None,
    symbols: Sequence[str] = (),
    strictness: str | None = None,
) -> PackSpec:
    """Return the pack's specification from the ``BENCH_*`` settings.

    ``end`` None means the newest session, no ``symbols`` all that were captured, ``strictness`` None the setting.
    """
    return parse_record(
        PackSpec,
        {
            "pack_id": pack_id,
            "seed": seed,
            "months": settings.bench_windows_months,
            "years_lookback": settings.bench_years_lookback,
            "windows": settings.bench_packs_per_universe,
            "include_stress": settings.bench_include_stress,
            "universe": tuple(symbols) or None,
            "strictness": strictness or settings.bench_strictness,
            "end": end.date() if isinstance(end, datetime) else end,
        },
        asked=f"specify the benchmark pack {pack_id!r}",
        next_step="see ordinis-learn packs generate --help and the BENCH_* settings",
    )


def generate_bench_pack(bench: Workbench, spec: PackSpec) -> BenchPackManifest:
    """Draw the pack's windows from the captured history, write it, and remember its manifest.

    Raises
    ------
    BenchDataMissing
        The captured bars do not cover the pack's span.
    """
    manifest, history = generate_pack(price_history(bench.log), spec)
    write_pack(manifest, history, root=bench.settings.bench_dir)
    bench.catalogue.add_pack(manifest)
    return manifest
