"""A dataset's report for people: one HTML file without scripts or remote parts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Any, Final

from ordinis_learn.records import DatasetManifest

__all__ = ["render_report"]

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>$ref</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #ccc; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.accepted { color: #186a2b; } .rejected { color: #a11; }
</style></head><body>
<h1>$ref</h1>
<p class="$verdict"><strong>$verdict</strong>: $evaluated of $expected expectations evaluated, $failed not met.</p>
$problems
<h2>What it was made from</h2>$sources
<h2>Labels</h2>$labels
<h2>Features</h2>$features
</body></html>
""")


def render_report(manifest: DatasetManifest) -> str:
    """Return the page: verdict, provenance, labels and feature distributions of a dataset."""
    validation = manifest.validation
    problems = [*validation.failed, *([validation.error] if validation.error else [])]
    return _PAGE.substitute(
        ref=escape(manifest.ref),
        verdict="accepted" if validation.success else "rejected",
        evaluated=validation.evaluated,
        expected=validation.expected,
        failed=len(validation.failed),
        problems=_table(("not met or not evaluated",), [(problem,) for problem in problems])
        if problems
        else "",
        sources=_table(("", ""), _sources(manifest)),
        labels=_table(("horizon", "labelled", "effective", "mean", "std", "share > 0"), _labels(manifest)),
        features=_table(("feature", "missing", "mean", "std", "minimum", "maximum"), _features(manifest)),
    )


def _sources(manifest: DatasetManifest) -> list[tuple[Any, ...]]:
    window, events, joined = manifest.window, manifest.event_range, manifest.join_quality
    return [
        ("sessions", f"{window.start} to {window.end}"),
        ("as of", window.as_of or "everything captured"),
        ("rows", manifest.rows),
        (
            "events",
            f"{events.count} up to log position {events.log_position}, {events.first} to {events.last}",
        ),
        ("joined to executions", ", ".join(f"{name} {count}" for name, count in joined.to_json().items())),
        ("content sha256", manifest.content_sha256),
        ("queries, config, suite", f"{manifest.query_hash}, {manifest.config_hash}, {manifest.suite_hash}"),
        ("code commit", manifest.code_commit),
        ("created at", manifest.created_at.isoformat()),
    ]


def _labels(manifest: DatasetManifest) -> list[tuple[Any, ...]]:
    return [
        (name, stats.labelled, stats.effective_samples, stats.mean, stats.std, stats.positive_share)
        for name, stats in manifest.label_stats.items()
    ]


def _features(manifest: DatasetManifest) -> list[tuple[Any, ...]]:
    return [
        (name, feature.missing, feature.mean, feature.std, feature.minimum, feature.maximum)
        for name, feature in manifest.profile.items()
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, int | float):
        return (
            f'<td class="n">{value:,.6g}</td>'
            if isinstance(value, float)
            else f'<td class="n">{value:,}</td>'
        )
    return f"<td>{escape('undefined' if value is None else str(value))}</td>"
