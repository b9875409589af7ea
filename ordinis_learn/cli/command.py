"""What every command shares: an example in its help, errors in three parts, the engine it works with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ordinis_learn.cli.ending import end_cleanly_on_sigterm

if TYPE_CHECKING:
    from ordinis_learn.engine import LearningEngine

__all__ = ["LearnCommand", "learn_command", "opened"]


class LearnCommand(click.Command):
    """A command whose :class:`~ordinis_learn.errors.LearnError` becomes a message and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from ordinis_learn.errors import LearnError  # noqa: PLC0415  light, but not needed for --help

        end_cleanly_on_sigterm()
        try:
            return super().invoke(ctx)
        except LearnError as error:
            click.echo(_in_lines(error), err=True)
            ctx.exit(1)


def learn_command(
    name: str, *, example: str, **attributes: Any
) -> Callable[[Callable[..., Any]], LearnCommand]:
    """Make a command; ``example`` is one line that can be typed as it is."""
    return click.command(name, cls=LearnCommand, epilog=f"Example: {example}", **attributes)


@contextmanager
def opened(ctx: click.Context) -> Iterator[LearningEngine]:
    """Open the engine for a command, with ``--home`` and ``--actor`` applied, and close it after."""
    from ordinis_learn.observability.exporting import export_traces  # noqa: PLC0415
    from ordinis_learn.wiring import open_engine  # noqa: PLC0415  seconds of imports

    export_traces()
    overrides = dict(ctx.find_root().obj or {})
    if "actor" in overrides:
        os.environ["ORDINIS_ACTOR"] = overrides["actor"]
    with open_engine(**overrides) as engine:
        yield engine


def _in_lines(error: Any) -> str:
    return f"{error.code}\n  asked: {error.asked}\n  found: {error.found}\n  next:  {error.next_step}"
