"""Collect a version's evidence and write it for an auditor."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.records import DECLARED, DatasetManifest, ModelArtifact, ModelRef
from ordinis_learn.rollout.dossier import Dossier, png_data_uri, render_dossier
from ordinis_learn.use_cases.evaluate import plots_folder
from ordinis_learn.use_cases.refusals import decisions
from ordinis_learn.workbench import Workbench

__all__ = ["collect_dossier", "write_dossier"]


def write_dossier(bench: Workbench, name: str, version: str, *, folder: Path | None = None) -> Path:
    """Write ``<name>-v<version>.html`` and ``.json``; return the HTML's path.

    Raises
    ------
    ArtifactMissing
        The registry has no such version.
    """
    target = folder or bench.settings.reports_dir
    dossier = collect_dossier(bench, bench.registry.reference(name, version))
    path = target / f"{name}-v{version}.html"
    path.parent.mkdir(parents=True, exist_ok=True)  # a name outside the default workspace has a folder in it
    path.write_text(render_dossier(dossier), encoding="utf-8")
    path.with_suffix(".json").write_text(dossier.model_dump_json(indent=2), encoding="utf-8")
    return path


def collect_dossier(bench: Workbench, subject: ModelRef) -> Dossier:
    """Gather what registry, catalogue and ledger know about one version, whoever registered it."""
    name, version = subject.name, subject.version
    artifact = _artifact(bench, subject)
    made = decisions(bench, subject)
    return Dossier(
        subject=subject,
        artifact=artifact,
        state=bench.registry.state(name, version),
        dataset=None if artifact is None else _dataset(bench, artifact),
        scorecards=() if artifact is None else tuple(bench.catalogue.scorecards(artifact.artifact_id)),
        shadow=bench.registry.shadow_report(name, version),
        approvals=tuple(bench.registry.approvals(name, version)),
        decisions=made,
        ledger=tuple(bench.ledger.history(name)),
        ledger_faults=tuple(bench.ledger.verify()),
        incumbent=made[-1].incumbent if made else None,
        drift=tuple(bench.catalogue.drift(name)),
        plots=() if artifact is None else _plots(bench, artifact),
        generated_at=bench.clock(),
    )


def _artifact(bench: Workbench, subject: ModelRef) -> ModelArtifact | None:
    """Return what the catalogue knows of a version, else what its verified training statement says, if it has one."""
    for known in bench.catalogue.artifacts(subject.name):
        if known.version == subject.version:
            return known
    return bench.registry.training(subject.name, subject.version)


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
