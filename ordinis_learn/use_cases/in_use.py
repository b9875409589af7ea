"""Which versions are in use, by the registry: a stock MLflow client registers and promotes what the catalogue never heard of."""

from __future__ import annotations

from collections.abc import Mapping

from ordinis_learn.records import State
from ordinis_learn.workbench import Workbench

__all__ = ["active_models", "in_use", "unknown_versions"]


def in_use(bench: Workbench) -> Mapping[tuple[str, str], State]:
    """Return the ACTIVE and SHADOW versions by name and version."""
    used: dict[tuple[str, str], State] = {}
    for name, standing in bench.registry.standings().items():
        used |= {(name, version): State.SHADOW for version in standing.shadow}
        if standing.active is not None:
            used[name, standing.active] = State.ACTIVE
    return used


def active_models(bench: Workbench) -> list[str]:
    """Return the names of the models that have an ACTIVE version, sorted."""
    return sorted(
        name for name, standing in bench.registry.standings().items() if standing.active is not None
    )


def unknown_versions(bench: Workbench) -> Mapping[tuple[str, str], State]:
    """Return the versions in use that the catalogue does not know."""
    known = {(artifact.name, artifact.version) for artifact in bench.catalogue.artifacts()}
    return {key: state for key, state in in_use(bench).items() if key not in known}
