"""Make a version known that another door registered: a stock MLflow client, or a desk with a catalogue of its own."""

from __future__ import annotations

from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.models import load_bundle
from ordinis_learn.records import ModelArtifact, ModelType
from ordinis_learn.workbench import Workbench

__all__ = ["adopt"]


def adopt(bench: Workbench, name: str, version: str) -> ModelArtifact:
    """Remember in the catalogue what a version's verified training statement says; again, nothing more happens.

    Nothing is made up: a version without a statement stays unknown. Its bytes are verified and, for a signal model, loaded, so
    that what is adopted can be checked.

    Raises
    ------
    ArtifactMissing
        The version has no training statement that verifies.
    LearnError
        The registry has no such version, or its bytes are gone, changed, or no bundle.
    """
    artifact = bench.registry.training(name, version)
    if artifact is None:
        raise ArtifactMissing(
            f"adopt {name} v{version}",
            found="no training statement of it verifies, so nothing says what it was made from",
            next_step="train it with ordinis-learn train and promote that version instead; or attach a statement that a trusted "
            "trainer signed (docs/registry.md) and adopt it then",
        )
    folder = bench.registry.local_path(name, version)
    if artifact.model_type is ModelType.SIGNAL_MODEL:
        load_bundle(folder)
    adopted = artifact.model_copy(
        update={"name": name, "version": version, "path_ref": f"models:/{name}/{version}"}
    )
    bench.catalogue.add_artifact(adopted)
    return adopted
