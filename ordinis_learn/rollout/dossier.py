"""The dossier: everything an auditor needs about one model version, in one HTML file.

The page loads nothing: style and pictures are inside it, there is no script, and it prints. The JSON written beside
it holds the same record in full; the page shows numbers as the record has them, fractions as fractions.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import Field

from ordinis_learn.records import (
    DECLARED,
    Approval,
    AuditRecord,
    DatasetManifest,
    DriftFinding,
    DriftReport,
    GateDecision,
    LabelStats,
    ModelArtifact,
    ModelRef,
    Record,
    Scorecard,
    ShadowReport,
    State,
    UtcDatetime,
)
from ordinis_learn.rollout.gate import describe_power

__all__ = ["Dossier", "PngDataUri", "png_data_uri", "render_dossier"]

PngDataUri = Annotated[str, Field(pattern=r"^data:image/png;base64,[A-Za-z0-9+/]+=*$")]
"""A picture inside the page."""

_SEVERITY_ORDER: Final = {"critical": 0, "warning": 1, "info": 2, "none": 3}
_REGIME_METRICS: Final = ("sharpe", "cagr", "max_drawdown", "hit_rate")
_UNKNOWN: Final = "–"
_MOST_CHARACTERS: Final = 160


class Dossier(Record):
    """What a dossier says; collected by the caller, judged by nobody here.

    ``artifact`` is None for a version that was registered without evidence of ours, by any MLflow client.
    ``decisions`` are about this version, oldest first. ``ledger`` is the whole chain of the model's name,
    ``ledger_faults`` what its verification found (empty: it holds). ``plots`` are (title, PNG) pairs.
    """

    schema_version: Literal["1.1.0"] = "1.1.0"
    subject: ModelRef
    artifact: ModelArtifact | None
    state: State
    dataset: DatasetManifest | None
    scorecards: tuple[Scorecard, ...]
    shadow: ShadowReport | None
    approvals: tuple[Approval, ...]
    decisions: tuple[GateDecision, ...]
    ledger: tuple[AuditRecord, ...]
    ledger_faults: tuple[str, ...]
    incumbent: ModelRef | None
    drift: tuple[DriftReport, ...]
    plots: tuple[tuple[str, PngDataUri], ...] = ()
    generated_at: UtcDatetime


def png_data_uri(png: bytes) -> str:
    """Return a PNG as a data URI.

    Examples
    --------
    >>> png_data_uri(b"PNG")
    'data:image/png;base64,UE5H'
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def render_dossier(content: Dossier) -> str:
    """Render one self-contained HTML page.

    Every text from outside is escaped, model names and comments included. The same content gives the same bytes.

    Parameters
    ----------
    content : Dossier

    Returns
    -------
    str
        A whole HTML document, UTF-8.
    """
    template = _environment().get_template("dossier.html")
    last = content.decisions[-1] if content.decisions else None
    return template.render(
        d=content,
        s=content.subject,
        a=content.artifact,
        last=last,
        verdict=_verdict(content, last),
        earlier=tuple(reversed(content.decisions[:-1])),
        regime_metrics=_regime_metrics,
        declared=content.artifact is not None and content.artifact.data_snapshot_ref == DECLARED,
        json_name=f"{content.subject.name.rpartition('/')[2]}-v{content.subject.version}.json",
        drift_rows=_drift_rows,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ordinis_learn.rollout", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": _number,
        "moment": _moment,
        "day": _day,
        "words": _words,
        "facts": _facts,
        "by_horizon": _by_horizon,
        "power": describe_power,
    }
    return environment


def _verdict(content: Dossier, last: GateDecision | None) -> dict[str, str]:
    """Say in one sentence what was decided, by whom, when and why; ``tone`` picks the colour."""
    name = f"{content.subject.name} version {content.subject.version}"
    if last is None:
        return {
            "tone": "open",
            "word": "Not asked",
            "sentence": f"Nobody has asked to promote {name}; it is a {content.state.value}.",
        }
    asked = (
        f"{last.requester.name} asked on {_moment(last.decided_at)} to move {name} "
        f"from {last.from_state.value} to {last.to_state.value}"
    )
    stands = f"It is {content.state.value} now."
    if last.allowed and last.waivers:
        by = "; ".join(
            f"{w.rule} by {' and '.join(w.granted_by)}, instead {w.compensating_control}"
            for w in last.waivers
        )
        return {
            "tone": "allowed",
            "word": "Allowed, glass broken" if last.break_glass else "Allowed with waivers",
            "sentence": f"{asked}. {', '.join(map(_words, last.waived))} did not pass and was waived ({by}){_approved_by(last)}. {stands}",
        }
    if last.allowed:
        return {
            "tone": "allowed",
            "word": "Allowed",
            "sentence": f"{asked}. All {len(last.verdicts)} rules of policy {last.policy_id} passed{_approved_by(last)}. {stands}",
        }
    missed = "; ".join(f"{_words(v.rule)} ({_words(v.verdict)}: {v.found})" for v in last.reasons)
    return {
        "tone": "refused",
        "word": "Refused",
        "sentence": (
            f"{asked}. {len(last.reasons)} of {len(last.verdicts)} rules of policy {last.policy_id} did not pass: "
            f"{missed}. {stands}"
        ),
    }


def _approved_by(decision: GateDecision) -> str:
    return f", with the approval of {', '.join(decision.approvers)}" if decision.approvers else ""


def _regime_metrics(card: Scorecard) -> tuple[str, ...]:
    """Choose the few metrics that a table by regime has room for, in a fixed order."""
    known = {name for row in card.regimes for name in row.subject}
    chosen = tuple(name for name in _REGIME_METRICS if name in known)
    return chosen or tuple(sorted(known))[:4]


def _drift_rows(report: DriftReport) -> Sequence[DriftFinding]:
    return sorted(
        report.findings,
        key=lambda finding: (_SEVERITY_ORDER[finding.severity], finding.q_value, -finding.value),
    )


def _number(value: float | None) -> str:
    """Four significant digits, whole numbers from a thousand on, a true minus; a dash where undefined."""
    if value is None or math.isnan(value):
        return _UNKNOWN
    if math.isinf(value):
        text = "∞" if value > 0 else "-∞"
    elif isinstance(value, int) or abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def _by_horizon(stats: dict[str, LabelStats]) -> list[tuple[str, LabelStats]]:
    """Shortest horizon first: ``5d`` before ``20d``."""
    return sorted(stats.items(), key=lambda item: int(item[0].removesuffix("d")))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _facts(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a ledger record's body as short lines; the JSON beside the page has it whole."""
    lines = []
    for key, value in body.items():
        if key == "decision" and isinstance(value, dict):
            answer = "allowed" if value.get("allowed") else f"refused {value.get('code', '')}".rstrip()
            version = value.get("subject", {}).get("version", _UNKNOWN)
            text = f"version {version}, {value.get('from_state')} → {value.get('to_state')}: {answer}"
        elif isinstance(value, dict):
            text = ", ".join(f"{_words(name)} {_plain(inner)}" for name, inner in value.items())
        else:
            text = _plain(value)
        lines.append((_words(key), text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "…"))
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(each) for each in value) or "none"
    return "none" if value is None else str(value)
