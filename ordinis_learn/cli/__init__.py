"""The command line; one command per file, nothing heavy imported before it is needed.

A command module imports :mod:`click` and :mod:`ordinis_learn.cli.command` at its top and everything else
inside its function, so that ``ordinis-learn --help`` stays near a tenth of a second.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import click

__all__ = ["COMMANDS", "main"]

COMMANDS: Final = {
    "alerts": "List, show and acknowledge alerts, lift a cool-down; check that the monitor is alive.",
    "approve": "Answer a promotion request as a named identity.",
    "bus": "Record what a message broker delivers; publish what LEARN has to tell.",
    "carry-over": "Copy a home's catalogue of before into the registry's database.",
    "datasets": "Build datasets and look at their manifests.",
    "doctor": "Say what is missing and what to type.",
    "dossier": "Write the evidence of a version as one HTML file, and JSON beside it.",
    "drill": "Rehearse the rollback of a model, or of all, on a copy of the registry.",
    "drift": "Check what is active, or in shadow, against its training data.",
    "evaluate": "Judge a model on a pack of its kind, against what is active.",
    "events": "Record events, seal closed days, look at the quarantine.",
    "keys": "Create signing keys and trust them in roles.",
    "ledger": "Verify the ledger, read its history.",
    "loop": "Run the governed loop on real prices, end to end.",
    "metrics": "Show what a monitoring system should know, or serve it over HTTP.",
    "models": "List versions, their states and who is active.",
    "packs": "Generate benchmark packs from captured bars, draw question packs from answers.",
    "pipeline": "Build, train, judge and ask, in one run.",
    "policy": "Show the policy, check another one, try it on past decisions.",
    "prompts": "Write, check, render and register packs of prompts; measure what they were answered.",
    "promote": "Ask for a stage: shadow, active, retired.",
    "reproduce": "Train a version again and compare the bytes.",
    "rollback": "Swap the active model for the last known good.",
    "schema": "Export the JSON Schemas of records, events and settings.",
    "shadow": "Run a candidate beside the active model.",
    "train": "Train a model and register it as a candidate.",
    "tune": "Search training parameters, then train the best.",
    "waive": "Sign for setting one rule aside for a while; two people must.",
    "watch": "Do every day what needs nobody: drift, orders, alerts, deliveries.",
}


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ordinis_learn.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's callback
    if value:
        from importlib.metadata import version  # noqa: PLC0415  tens of milliseconds

        click.echo(f"ordinis-learn {version('ordinis-learn')}")
        ctx.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: ordinis-learn --home ./desk doctor",
)
@click.option("--home", type=click.Path(), help="Where everything is kept (ORDINIS_HOME; default: here).")
@click.option("--actor", help="Who is asking (ORDINIS_ACTOR; default: the user of the operating system).")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show it."
)
@click.pass_context
def main(ctx: click.Context, home: str | None, actor: str | None) -> None:
    """Capture, label, train, judge, and let a model trade only when the gate says so."""
    overrides: dict[str, Any] = {"home": home, "actor": actor}
    ctx.obj = {name: value for name, value in overrides.items() if value is not None}
