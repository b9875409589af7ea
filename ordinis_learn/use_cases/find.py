"""Find an artifact by what people call it."""

from __future__ import annotations

from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.records import ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["find_artifact"]


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
