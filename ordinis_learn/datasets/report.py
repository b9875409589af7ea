"""A dataset's report for people: one HTML file without scripts or remote parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template
from typing import Any, Final

from ordinis_learn.datasets.charts import histogram, share_bar
from ordinis_learn.records import DatasetManifest, ExpectationResult, FeatureProfile

__all__ = ["render_report"]

_PAGE: Final = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$ref</title><style>
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; width: 100%; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid #8884; vertical-align: middle; }
td.n { font-variant-numeric: tabular-nums; }
td.hash { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.accepted, .met { color: #1a7f37; } .rejected, .error { color: #c62828; } .warning { color: #b26a00; }
svg .bar { fill: #4472c4; } svg .rest { fill: #8883; } svg .mark { fill: #c62828; }
details summary { cursor: pointer; margin: .5rem 0; }
</style></head><body>
<h1>$ref</h1>
<p class="$verdict"><strong>$verdict</strong>: $summary.</p>
$problems
<h2>Labels</h2>$labels
<h2>Distributions</h2>$distributions
<h2>Expectations</h2>$expectations
<h2>What it was made from</h2>$sources
</body></html>
""")


@dataclass(frozen=True)
class _Html:
    """Text that is HTML already."""

    text: str


def render_report(manifest: DatasetManifest) -> str:
    """Return the page: verdict, labels, distributions, expectations and provenance of a dataset."""
    validation = manifest.validation
    missed = [check for check in validation.checks if check.success is not True]
    others = [check for check in validation.checks if check.success is True]
    return _PAGE.substitute(
        ref=escape(manifest.ref),
        verdict="accepted" if validation.success else "rejected",
        summary=f"{validation.evaluated} of {validation.expected} expectations evaluated, "
        f"{len(validation.failed)} not met, {len(validation.warnings)} warnings",
        problems=_problems(manifest),
        labels=_table(
            ("", "labelled", "of all rows", "effective", "mean", "std", "positive", ""), _labels(manifest)
        ),
        distributions=_table(
            ("", "", "missing", "mean", "std", "minimum", "maximum"),
            [_distribution(name, profile) for name, profile in manifest.profile.items()],
        ),
        expectations=_expectations(missed) + _folded(others),
        sources=_table(("", ""), _sources(manifest)),
    )


def _problems(manifest: DatasetManifest) -> str:
    validation = manifest.validation
    rows = [
        *((_marked("error", "error"), name) for name in validation.failed),
        *([(_marked("error", "not evaluated"), validation.error)] if validation.error else []),
        *((_marked("warning", "warning"), name) for name in validation.warnings),
        *((_marked("warning", "left out"), f"{n} events: {why}") for why, n in manifest.left_out.items()),
    ]
    return _table(("", "what was found"), rows) if rows else ""


def _labels(manifest: DatasetManifest) -> list[tuple[Any, ...]]:
    return [
        (
            name,
            stats.labelled,
            _Html(
                share_bar(stats.labelled / manifest.rows if manifest.rows else None, label=f"{name} labelled")
            ),
            stats.effective_samples,
            stats.mean,
            stats.std,
            stats.positive_share,
            _Html(share_bar(stats.positive_share, label=f"{name} positive")),
        )
        for name, stats in manifest.label_stats.items()
    ]


def _distribution(name: str, profile: FeatureProfile) -> tuple[Any, ...]:
    share = profile.missing / profile.count if profile.count else 0.0
    return (
        name,
        _Html(histogram(profile, label=name)),
        f"{share:.2%}",
        profile.mean,
        profile.std,
        profile.minimum,
        profile.maximum,
    )


def _expectations(checks: Sequence[ExpectationResult]) -> str:
    header = ("", "severity", "observed", "least", "most", "")
    return _table(header, [_expectation(check) for check in checks]) if checks else "<p>All are met.</p>"


def _folded(checks: Sequence[ExpectationResult]) -> str:
    if not checks:
        return ""
    return f"<details><summary>{len(checks)} that are met</summary>{_expectations(checks)}</details>"


def _expectation(check: ExpectationResult) -> tuple[Any, ...]:
    if check.success is None:
        said = _marked("error", "not evaluated")
    else:
        said = _marked("met", "met") if check.success else _marked(check.severity, "not met")
    return (check.name, check.severity, check.observed, _bound(check.low), _bound(check.high), said)


def _sources(manifest: DatasetManifest) -> list[tuple[Any, ...]]:
    window, events, joined = manifest.window, manifest.event_range, manifest.join_quality
    return [
        ("kind", manifest.kind),
        ("window", f"{window.start} to {window.end}"),
        ("symbols", "all" if window.symbols is None else ", ".join(window.symbols)),
        ("as of", window.as_of or "everything captured"),
        ("rows", manifest.rows),
        (
            "events",
            f"{events.count:,} up to log position {events.log_position:,}, {events.first} to {events.last}",
        ),
        ("of types", ", ".join(events.types)),
        ("joined by", ", ".join(f"{name} {count:,}" for name, count in joined.to_json().items())),
        ("content sha256", _hash(manifest.content_sha256)),
        ("queries", _hash(manifest.query_hash)),
        ("configuration", _hash(manifest.config_hash)),
        ("suite", _hash(manifest.suite_hash)),
        ("code commit", _hash(manifest.code_commit)),
        ("built at", manifest.created_at.isoformat()),
    ]


def _hash(text: str) -> _Html:
    return _Html(f'<td class="hash">{escape(text)}</td>')


def _marked(kind: str, text: str) -> _Html:
    return _Html(f'<span class="{kind}">{escape(text)}</span>')


def _bound(value: float | None) -> float | str:
    return "" if value is None else value


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if isinstance(value, _Html):
        return value.text if value.text.startswith("<td") else f"<td>{value.text}</td>"
    if isinstance(value, float):
        return f'<td class="n">{value:,.6g}</td>'
    if isinstance(value, int):
        return f'<td class="n">{value:,}</td>'
    return f"<td>{escape('undefined' if value is None else str(value))}</td>"
