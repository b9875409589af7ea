"""``ordinis-learn events import``."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from ordinis_learn.cli.command import learn_command, opened
from ordinis_learn.cli.feed import feed_options, recorder_for, show_receipt

__all__ = ["import_events"]


@learn_command("import", example="ordinis-learn events import --adapter ordinis-legacy old.jsonl")
@click.argument("file", type=click.File("rb"))
@feed_options
@click.pass_context
def import_events(ctx: click.Context, /, file: BinaryIO, **feed: Any) -> None:
    """Import a file of JSON lines in an older shape (``-`` for standard input).

    Importing a file again stores nothing twice. What cannot be read without guessing is quarantined as it came.
    Exits with 1 when every line was.
    """
    with opened(ctx) as engine:
        recorder = recorder_for(engine.workbench, **feed)
        receipt = recorder.record_events(line for line in file if line.strip())
    show_receipt(receipt)
    if receipt.quarantined and not receipt.accepted + receipt.duplicates:
        ctx.exit(1)
