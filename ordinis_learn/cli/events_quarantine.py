"""``ordinis-learn events quarantine``."""

from __future__ import annotations

from typing import Any

import click

from ordinis_learn.cli.command import learn_command, opened


@click.group(
    "quarantine", invoke_without_command=True, epilog="Example: ordinis-learn events quarantine list"
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Look at what was refused, and try it again; bare, it lists."""
    if ctx.invoked_subcommand is None:
        listing = command.commands["list"]
        with listing.make_context("list", [], parent=ctx) as child:
            listing.invoke(child)


@command.add_command
@learn_command("list", example="ordinis-learn events quarantine list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List what was refused, with how often it came and the reason."""
    with opened(ctx) as engine:
        entries = engine.workbench.log.quarantined()
    for entry in entries:
        click.echo(f"{entry['digest'][:12]}  {entry['code']}  ×{entry['count']}  {entry['reason']}")
    click.echo(f"{len(entries)} quarantined")


@command.add_command
@learn_command("show", example="ordinis-learn events quarantine show 3f9a2c")
@click.argument("digest")
@click.pass_context
def show(ctx: click.Context, digest: str) -> None:
    """Print one entry whole: what came, why it was refused, when it was seen. A digest's start is enough."""
    with opened(ctx) as engine:
        (entry,) = _chosen(engine.workbench.log.quarantined(), digest)
    for name in ("digest", "code", "reason", "count", "first_seen", "last_seen"):
        click.echo(f"{name}: {entry[name]}")
    click.echo(entry["raw"].decode("utf-8", "backslashreplace"))


@command.add_command
@learn_command("retry", example="ordinis-learn events quarantine retry --all")
@click.argument("digest", required=False)
@click.option("--all", "everything", is_flag=True, help="Try every entry.")
@click.pass_context
def retry(ctx: click.Context, *, digest: str | None, everything: bool) -> None:
    """Validate entries with today's schemas; what passes moves into the log, exactly once."""
    from collections import Counter  # noqa: PLC0415

    from ordinis_learn.capture import retry as try_again  # noqa: PLC0415  seconds of imports
    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

    if (digest is None) != everything:
        raise ConfigInvalid(
            "retry quarantined events",
            found="a digest and --all" if everything else "neither a digest nor --all",
            next_step="ordinis-learn events quarantine retry --all, or one digest of the list",
        )
    outcomes: Counter[str] = Counter()
    with opened(ctx) as engine:
        log = engine.workbench.log
        entries = log.quarantined()
        for one in try_again(log, entries if digest is None else _chosen(entries, digest)):
            outcomes[one.outcome] += 1
            click.echo(f"{one.digest[:12]}  {one.outcome}  {one.reason}".rstrip())
    click.echo(
        ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())) or "nothing to retry"
    )


def _chosen(entries: Any, digest: str) -> list[Any]:
    """Return the one entry whose digest begins so."""
    from ordinis_learn.errors import DataMissing  # noqa: PLC0415

    found = [entry for entry in entries if entry["digest"].startswith(digest)]
    if len(found) != 1:
        raise DataMissing(
            f"find the quarantined event {digest!r}",
            found=f"{len(found)} of {len(entries)} entries begin so",
            next_step="ordinis-learn events quarantine list",
        )
    return found
