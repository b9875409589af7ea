"""Load the versions that another one was picked from."""

from __future__ import annotations

from collections.abc import Sequence

from ordinis_learn.errors import LearnError
from ordinis_learn.evaluation import Rival
from ordinis_learn.models import load_bundle
from ordinis_learn.records import ModelArtifact
from ordinis_learn.workbench import Workbench

__all__ = ["load_rivals"]

_NEWEST = 24
"""Each is run over the whole pack; with more the evaluation would take minutes."""


def load_rivals(
    bench: Workbench, artifacts: Sequence[ModelArtifact]
) -> tuple[tuple[Rival, ...], dict[str, str]]:
    """Return the newest versions whose bytes are there, and why the others are left out, by version.

    A version that was pruned or does not verify is no reason not to judge another one: it is named.
    """
    ordered = sorted(artifacts, key=lambda artifact: int(artifact.version))
    left_out = {artifact.version: f"older than the newest {_NEWEST}" for artifact in ordered[:-_NEWEST]}
    rivals = []
    for artifact in ordered[-_NEWEST:]:
        try:
            model = load_bundle(bench.registry.local_path(artifact.name, artifact.version))
        except LearnError as error:
            left_out[artifact.version] = error.found
            continue
        rivals.append(Rival(artifact=artifact, model=model))
    return tuple(rivals), left_out
