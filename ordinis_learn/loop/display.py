"""What a person sees while the loop runs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["Display"]


class Display:
    """Numbered steps with their time, lines of result, tables, a bar where it takes long.

    Without a terminal (a log file, CI) the same lines appear, without the bar.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._step = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, and say how long it took."""
        self._step += 1
        self._console.print(f"\n[bold]{self._step}. {title}[/bold]")
        began = time.perf_counter()
        yield
        self._console.print(f"   [dim]{time.perf_counter() - began:.1f} s[/dim]")

    def say(self, line: str) -> None:
        """Print one line of a step's result."""
        self._console.print(f"   {line}", markup=False)

    def good(self, line: str) -> None:
        """Print a line that something was allowed or holds."""
        self._console.print("   ✓ ", style="green", end="")
        self._console.print(line, markup=False)

    def refused(self, line: str) -> None:
        """Print a line that something was refused; that is a result, not an error."""
        self._console.print("   ✗ ", style="yellow", end="")
        self._console.print(line, markup=False)

    def table(self, *columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Print a small table; all columns but the first are right-aligned when they hold numbers."""
        table = Table(*columns, box=None, padding=(0, 2), show_edge=False)
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        self._console.print(table, new_line_start=True)

    @contextmanager
    def bar(self, title: str, *, total: int) -> Iterator[Progress]:
        """Show a progress bar with one task while a step runs."""
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            progress.add_task(title, total=total)
            yield progress

    def closing(self, title: str, lines: Iterable[str]) -> None:
        """Print the closing summary; lines are never wrapped, so that commands can be copied."""
        self._console.print()
        self._console.rule(f"[bold]{title}", align="left")
        for line in lines:
            self._console.print(line, markup=False, no_wrap=True, overflow="ignore", crop=False)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
