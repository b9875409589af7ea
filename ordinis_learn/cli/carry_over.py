"""``ordinis-learn carry-over``."""

from __future__ import annotations

import click

from ordinis_learn.cli.command import learn_command


@learn_command("carry-over", example="ordinis-learn carry-over")
@click.option("--leave", is_flag=True, help="Go on without it: copy nothing, and record that.")
@click.option("--reason", default="", help="Why it is left; kept in the ledger.")
@click.pass_context
def command(ctx: click.Context, *, leave: bool, reason: str) -> None:
    """Copy a home's catalogue of before into the registry's database.

    Datasets, artifacts, scorecards, drift checks, alerts and orders stand beside the registry since 0.1.0; a home whose registry was on a server
    kept them in its own file. Versions that the registry does not know are not copied. The file stays as it is.
    """
    from ordinis_learn.records import Actor  # noqa: PLC0415  seconds of imports
    from ordinis_learn.settings import load_settings  # noqa: PLC0415
    from ordinis_learn.wiring import former_catalogue  # noqa: PLC0415

    settings = load_settings(**dict(ctx.find_root().obj or {}))
    former = former_catalogue(settings)
    actor = Actor(name=settings.actor, kind="claimed")
    if leave:
        former.leave(actor=actor, reason=reason)
        click.echo(f"{settings.database_path} is left as it is; {former.place} goes on without it")
        return
    told = former.carry(actor=actor)
    if not told:
        click.echo("there is no catalogue of before in this home")
    for table, counts in told.items():
        if any(counts.values()):
            click.echo(
                f"{table:<20} {counts['carried']} carried, {counts['present']} there already, {counts['left']} left: "
                "they belong to versions that the registry does not know, or are older"
                if counts["left"]
                else f"{table:<20} {counts['carried']} carried, {counts['present']} there already"
            )
