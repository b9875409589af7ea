"""``ordinis-learn schema``."""

from __future__ import annotations

from pathlib import Path

import click

from ordinis_learn.cli.command import learn_command


@click.group("schema", epilog="Example: ordinis-learn schema export ModelArtifact")
def command() -> None:
    """Export the JSON Schemas of records, events and settings."""


@command.add_command
@learn_command("export", example="ordinis-learn schema export --folder schemas")
@click.argument("name", required=False)
@click.option("--folder", type=click.Path(path_type=Path), help="Write one file per schema (default: print).")
def export(name: str | None, folder: Path | None) -> None:
    """Print or write JSON Schemas; without a name, all of them."""
    import json  # noqa: PLC0415

    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415
    from ordinis_learn.use_cases.schemas import json_schemas  # noqa: PLC0415

    schemas = json_schemas()
    if name is not None and name not in schemas:
        raise ConfigInvalid(
            f"export the schema of {name!r}",
            found="no record of that name",
            next_step=f"choose one of {', '.join(sorted(schemas))}",
        )
    chosen = schemas if name is None else {name: schemas[name]}
    for title, schema in chosen.items():
        text = json.dumps(schema, indent=2, sort_keys=True)
        if folder is None:
            click.echo(text)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{title}.json").write_text(text + "\n", encoding="utf-8")
    if folder is not None:
        click.echo(f"{len(chosen)} schemas written to {folder}")
