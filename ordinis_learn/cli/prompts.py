"""``ordinis-learn prompts``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ordinis_learn.cli.command import learn_command, opened

_DAY = click.DateTime(["%Y-%m-%d"])
_FILE = click.Path(path_type=Path)


@click.group("prompts", epilog="Example: ordinis-learn prompts check cortex.yaml")
def command() -> None:
    """Write, check, render and register packs of prompts; measure what they were answered."""


@command.add_command
@learn_command("new", example="ordinis-learn prompts new cortex.yaml")
@click.argument("file", type=_FILE)
def new(file: Path) -> None:
    """Write the worked example, Cortex's three tasks, as a file to start from."""
    from importlib import resources  # noqa: PLC0415

    from ordinis_learn.errors import ConfigInvalid  # noqa: PLC0415

    text = (resources.files("ordinis_learn.prompts") / "cortex.yaml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigInvalid(
            f"write {file}", found=str(error.strerror), next_step="name a new file in a folder that is there"
        ) from error
    click.echo(f"{file}: change it, then ordinis-learn prompts check {file}")


@command.add_command
@learn_command("check", example="ordinis-learn prompts check cortex.yaml")
@click.argument("file", type=_FILE)
def check(file: Path) -> None:
    """Check templates, schemas and examples against each other, and that MLflow would read them alike."""
    from ordinis_learn.prompts import check_templates, read_pack_file  # noqa: PLC0415

    pack = read_pack_file(file)
    check_templates(pack)
    for name, task in sorted(pack.tasks.items()):
        click.echo(f"{name}: {', '.join(task.variables)}; {len(task.examples)} examples")
    click.echo(f"sha256 {pack.content_hash()}")


@command.add_command
@learn_command(
    "render", example="ordinis-learn prompts render cortex.yaml plan_task --var goal='Rebalance weekly'"
)
@click.argument("file", type=_FILE)
@click.argument("task")
@click.option("--var", "given", multiple=True, metavar="NAME=TEXT", help="A variable; again for more.")
def render(file: Path, task: str, given: tuple[str, ...]) -> None:
    """Print the request that a model would be sent, as JSON."""
    from ordinis_learn.prompts import chat_request, read_pack_file  # noqa: PLC0415

    for one in given:
        if "=" not in one:
            raise click.BadParameter(f"{one!r} is not NAME=TEXT", param_hint="--var")
    variables = dict(one.split("=", maxsplit=1) for one in given)
    request = chat_request(read_pack_file(file), task, variables)
    click.echo(request.model_dump_json(indent=2))
    click.echo(f"request_hash {request.request_hash()}", err=True)


@command.add_command
@learn_command("register", example="ordinis-learn prompts register cortex.yaml --name cortex")
@click.argument("file", type=_FILE)
@click.option("--name", required=True, help="The registered model.")
@click.option(
    "--trials",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Packs that were tried before this one was picked; they count at the gate.",
)
@click.pass_context
def register(ctx: click.Context, file: Path, *, name: str, trials: int) -> None:
    """Register a pack as a candidate."""
    from ordinis_learn.prompts import read_pack_file  # noqa: PLC0415

    pack = read_pack_file(file)
    with opened(ctx) as engine:
        artifact = engine.train(
            {"model_type": "prompt_pack", "name": name, "pack": pack.to_json(), "trials": trials}
        )
        linked = engine.workbench.registry.linked_prompts(artifact.name, artifact.version)
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE ({artifact.artifact_id})")
    click.echo(f"run {artifact.run_id}, sha256 {artifact.artifact_sha256}")
    for address in linked.values():
        click.echo(f"  {address}")


@command.add_command
@learn_command(
    "tune",
    example="ordinis-learn prompts tune cortex.yaml --name cortex --task synthesize_research --pack prompt_eval_v1 --trials 16",
)
@click.argument("file", type=_FILE)
@click.option("--name", required=True, help="The registered model.")
@click.option("--task", required=True, help="Whose examples are chosen; the file's are the candidates.")
@click.option("--pack", "questions", default="prompt_eval_v1", show_default=True, help="The question pack.")
@click.option(
    "--shots", default=3, show_default=True, type=click.IntRange(1, 8), help="Examples shown at most."
)
@click.option(
    "--trials",
    default=16,
    show_default=True,
    type=click.IntRange(1, 500),
    help="Selections to try; all count at the gate.",
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0))
@click.option(
    "--earlier-trials",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Packs that were tried before; they count as well.",
)
@click.option("--resume", is_flag=True, help="There must be a search to go on with, a finished one too.")
@click.pass_context
def tune(ctx: click.Context, /, file: Path, *, resume: bool, **asked: Any) -> None:
    """Choose a task's examples on one half of a question pack, and register what was best.

    The half that was tuned on is left out when the pack is judged. A search that broke off is gone on with by the same command.
    """
    from ordinis_learn.prompts import read_pack_file  # noqa: PLC0415
    from ordinis_learn.use_cases.tune_prompts import parse_tuning, tune_prompts  # noqa: PLC0415

    config = parse_tuning({"pack": read_pack_file(file).to_json(), **asked})
    with opened(ctx) as engine:
        artifact = tune_prompts(engine.workbench, config, resume=resume)
    click.echo(f"{artifact.name} v{artifact.version} is a CANDIDATE after {artifact.trials} trials")
    click.echo(
        f"see what was chosen: ordinis-learn prompts show {artifact.name} --version {artifact.version}"
    )


@command.add_command
@learn_command("show", example="ordinis-learn prompts show cortex --version 1")
@click.argument("name_or_file")
@click.option("--version", help="Of a registered pack (default: the active one, else the newest).")
@click.pass_context
def show(ctx: click.Context, name_or_file: str, *, version: str | None) -> None:
    """Print a pack, from a file or as registered, with its prompts in MLflow."""
    from ordinis_learn.prompts import read_pack_file  # noqa: PLC0415
    from ordinis_learn.use_cases.show_prompts import registered_pack  # noqa: PLC0415

    linked: Mapping[str, str] = {}
    if version is None and Path(name_or_file).is_file():
        pack, title = read_pack_file(Path(name_or_file)), name_or_file
    else:
        with opened(ctx) as engine:
            shown = registered_pack(engine.workbench, name_or_file, version)
        pack, title, linked = shown.pack, f"{name_or_file} v{shown.version}, {shown.state}", shown.linked
    click.echo(f"{title}: {pack.description}")
    click.echo(f"sha256 {pack.content_hash()}, asks {pack.parameters.model}")
    if (tuned := pack.tuning) is not None:
        shown_examples = ", ".join(map(str, tuned.chosen)) or "none"
        click.echo(
            f"examples of {tuned.task}: {shown_examples} of {tuned.candidates}, best of {tuned.trials} trials on {tuned.items} "
            f"questions of {tuned.questions} (score {tuned.score:.3f}, which flatters)"
        )
    for name, task in sorted(pack.tasks.items()):
        click.echo(
            f"\n{name} ({', '.join(task.variables)}; {len(task.examples)} examples)  {linked.get(name, '')}".rstrip()
        )
        for role, text in (("system", task.system), ("user", task.user)):
            for place, line in enumerate(text.rstrip().splitlines()):
                click.echo(f"  {role if not place else '':<8}{line}".rstrip())


@command.add_command
@learn_command("link", example="ordinis-learn prompts link cortex 1")
@click.argument("name")
@click.argument("version")
@click.pass_context
def link(ctx: click.Context, name: str, version: str) -> None:
    """Make a registered pack's tasks prompts of MLflow's registry, as registering does by itself."""
    from ordinis_learn.use_cases.show_prompts import registered_pack  # noqa: PLC0415

    with opened(ctx) as engine:
        registered_pack(engine.workbench, name, version)
        linked = engine.workbench.registry.link_prompts(name, version)
    for task, address in sorted(linked.items()):
        click.echo(f"{task}: {address}")


@command.add_command
@learn_command("diff", example="ordinis-learn prompts diff cortex 1 2")
@click.argument("name")
@click.argument("old")
@click.argument("new")
@click.pass_context
def diff(ctx: click.Context, name: str, old: str, new: str) -> None:
    """Say what differs between two registered packs, line by line."""
    from difflib import unified_diff  # noqa: PLC0415
    from json import dumps  # noqa: PLC0415

    from ordinis_learn.prompts import load_prompt_pack  # noqa: PLC0415

    with opened(ctx) as engine:
        registry = engine.workbench.registry
        texts = [
            dumps(load_prompt_pack(registry.local_path(name, version)).to_json(), indent=1, sort_keys=True)
            for version in (old, new)
        ]
    lines = [text.replace("\\n", "\n").splitlines() for text in texts]
    before, after = lines
    changed = list(unified_diff(before, after, f"{name} v{old}", f"{name} v{new}", lineterm="", n=2))
    for line in changed or ["the same pack"]:
        click.echo(line)


@command.add_command
@learn_command(
    "measure",
    example="ordinis-learn prompts measure --start 2026-03-02 --end 2026-03-06 --compare models:/cortex/2 models:/cortex/1 --paired-by correlation_id",
)
@click.option("--start", type=_DAY, required=True, help="First day of answers, in UTC.")
@click.option("--end", type=_DAY, required=True, help="Last day of answers.")
@click.option(
    "--compare",
    nargs=2,
    metavar="SUBJECT BASELINE",
    help="Two sources on the same requests, each named by its model, its pack, or MODEL@PACK.",
)
@click.option(
    "--paired-by",
    type=click.Choice(["request_hash", "correlation_id"]),
    default="request_hash",
    show_default=True,
    help="A request's hash covers the prompt: two packs never share one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything that was found.")
@click.pass_context
def measure(
    ctx: click.Context,
    *,
    start: datetime,
    end: datetime,
    compare: tuple[str, str] | None,
    paired_by: Any,
    as_json: bool,
) -> None:
    """Measure what models answered in production, from recorded events: no questions are asked."""
    from ordinis_learn.cli.evaluation_text import recorded_lines  # noqa: PLC0415
    from ordinis_learn.use_cases.measure_recorded import measure_span  # noqa: PLC0415

    with opened(ctx) as engine:
        report = measure_span(
            engine.workbench, start=start.date(), end=end.date(), compare=compare or None, paired_by=paired_by
        )
    lines = [report.model_dump_json(indent=2)] if as_json else recorded_lines(report.to_json())
    for line in lines:
        click.echo(line)
