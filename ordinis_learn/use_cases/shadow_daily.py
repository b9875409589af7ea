"""The daily work of the shadows: score what came since the last time, and report on it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ordinis_learn.errors import DataMissing, LearnError
from ordinis_learn.records import ModelArtifact, ModelType, State
from ordinis_learn.shadow.feed import Source
from ordinis_learn.shadow.isolated import LOADER
from ordinis_learn.use_cases.shadow_answers import ask_requests, report_answers
from ordinis_learn.use_cases.shadow_run import kept_source, report_shadow, shadow_runner
from ordinis_learn.use_cases.shadow_trouble import see_shadow_goes_on, see_shadow_trouble
from ordinis_learn.workbench import Workbench

__all__ = ["run_daily_shadows"]

_LOGGER: Final = logging.getLogger(__name__)


def run_daily_shadows(bench: Workbench, *, loader: str = LOADER) -> list[str]:
    """Let every version in SHADOW catch up with the event log and sign its report; return a line for each.

    A signal model reads what its runner began with, else ``LEARN_SHADOW_SOURCE``; a pack of prompts is asked what the active
    one was asked. One that fails does not stop the others.

    Raises
    ------
    Exception
        The first failure, after all were tried: as a rule a LearnError.
    """
    works: Final[dict[ModelType, Callable[[ModelArtifact], str]]] = {
        ModelType.SIGNAL_MODEL: lambda artifact: _signals(bench, artifact, loader=loader),
        ModelType.PROMPT_PACK: lambda artifact: _answers(bench, artifact),
    }
    lines: list[str] = []
    failures: list[Exception] = []
    for artifact in bench.catalogue.artifacts():
        work = works.get(artifact.model_type)
        if work is None or bench.registry.state(artifact.name, artifact.version) is not State.SHADOW:
            continue
        try:
            said = work(artifact)
            see_shadow_goes_on(bench, artifact)
        except LearnError as error:
            see_shadow_trouble(bench, artifact, error)
            failures.append(error)
            said = str(error)
        except Exception as error:
            # A defect that one version brings out must not hold up the shadows of the others.
            _LOGGER.exception("the shadow of %s v%s broke off", artifact.name, artifact.version)
            failures.append(error)
            said = f"{type(error).__name__}: {error}"
        lines.append(f"{artifact.name} v{artifact.version} {said}")
    if failures:
        raise failures[0]
    return lines


def _signals(bench: Workbench, artifact: ModelArtifact, *, loader: str) -> str:
    source: Source = kept_source(bench, artifact) or bench.settings.learn_shadow_source
    with shadow_runner(bench, artifact.name, artifact.version, source=source, loader=loader) as runner:
        scored = sum(progress.rows for progress in runner.catch_up())
    return _with_report(
        f"{scored} events scored",
        lambda: report_shadow(bench, artifact.name, artifact.version, loader=loader).paired_decisions,
    )


def _answers(bench: Workbench, artifact: ModelArtifact) -> str:
    asked, unknown = ask_requests(bench, artifact)
    return _with_report(
        f"{asked} requests answered, {unknown} cannot be asked again",
        lambda: report_answers(bench, artifact).paired_decisions,
    )


def _with_report(said: str, report: Callable[[], int]) -> str:
    """Sign a report where something counts already; that nothing does yet is no failure."""
    try:
        return f"{said}, {report()} paired decisions reported"
    except DataMissing as error:
        return f"{said}, no report yet: {error.found}"
