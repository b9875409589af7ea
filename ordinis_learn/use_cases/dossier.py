"""Collect a version's evidence and write it for an auditor."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact
from ordinis_learn.rollout.dossier import Dossier, png_data_uri, render_dossier
from ordinis_learn.use_cases.evaluate import plots_folder
from ordinis_learn.use_cases.refusals import decisions
from ordinis_learn.workbench import Workbench

__all__ = ["collect_dossier", "write_dossier"]


def write_dossier(bench: Workbench, artifact: ModelArtifact, *, folder: Path | None = None) -> Path:
    """Write ``<name>-v<version>.html`` and ``.json``; return the HTML's path."""
    target = folder or bench.settings.reports_dir
    dossier = collect_dossier(bench, artifact)
    path = target / f"{artifact.name}-v{artifact.version}.html"
    path.parent.mkdir(parents=True, exist_ok=True)  # a name outside the default workspace has a folder in it
    path.write_text(render_dossier(dossier), encoding="utf-8")
    path.with_suffix(".json").write_text(dossier.model_dump_json(indent=2), encoding="utf-8")
    return path


def collect_dossier(bench: Workbench, artifact: ModelArtifact) -> Dossier:
    """Gather what registry, catalogue and ledger know about one version."""
    made = decisions(bench, artifact)
    return Dossier(
        artifact=artifact,
        state=bench.registry.state(artifact.name, artifact.version),
        dataset=_dataset(bench, artifact),
        scorecards=tuple(bench.catalogue.scorecards(artifact.artifact_id)),
        shadow=bench.registry.shadow_report(artifact.name, artifact.version),
        approvals=tuple(bench.registry.approvals(artifact.name, artifact.version)),
        decisions=made,
        ledger=tuple(bench.ledger.history(artifact.name)),
        ledger_faults=tuple(bench.ledger.verify()),
        incumbent=made[-1].incumbent if made else None,
        drift=tuple(bench.catalogue.drift(artifact.name)),
        plots=_plots(bench, artifact),
        generated_at=bench.clock(),
    )


def _plots(bench: Workbench, artifact: ModelArtifact) -> tuple[tuple[str, str], ...]:
    """Return the pictures of the newest evaluation on each pack, as (title, data URI)."""
    pictures = sorted(plots_folder(bench, artifact).glob("*/*.png"))
    return tuple(
        (f"{path.stem.capitalize()}, {path.parent.name}", png_data_uri(path.read_bytes()))
        for path in pictures
    )


def _dataset(bench: Workbench, artifact: ModelArtifact) -> DatasetManifest | None:
    if artifact.data_snapshot_ref == DECLARED:
        return None
    return bench.catalogue.dataset(artifact.data_snapshot_ref)
