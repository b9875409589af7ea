"""Find artifacts: by what people call them, and by what they have to do with another one."""

from __future__ import annotations

from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.records import ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["earlier_versions", "find_artifact", "find_incumbent"]


def find_artifact(bench: Workbench, name: str, version: str) -> ModelArtifact:
    """Return the artifact registered as a model's version.

    Raises
    ------
    ArtifactMissing
        No such version was trained here; the message lists those that were.
    """
    known = bench.catalogue.artifacts(name)
    for artifact in known:
        if artifact.version == str(version):
            return artifact
    versions = ", ".join(artifact.version for artifact in known) or "none"
    raise ArtifactMissing(
        f"find version {version} of model {name!r}",
        found=f"versions registered here: {versions}",
        next_step="ordinis-learn models",
    )


def find_incumbent(bench: Workbench, artifact: ModelArtifact) -> ModelArtifact | None:
    """Return the version that the artifact must beat; None for a first model, and for the incumbent itself."""
    version = bench.registry.incumbent(artifact.name)
    if version is None or version == artifact.version:
        return None
    return find_artifact(bench, artifact.name, version)


def earlier_versions(bench: Workbench, artifact: ModelArtifact) -> list[ModelArtifact]:
    """Return the versions of its name that came before it, in the order of the catalogue."""
    return [
        one for one in bench.catalogue.artifacts(artifact.name) if int(one.version) < int(artifact.version)
    ]
