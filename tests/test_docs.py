"""Documentation cannot lie about names: each is looked up."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import click
from click.testing import CliRunner

from ordinis_learn import errors
from ordinis_learn.cli import COMMANDS, main
from ordinis_learn.errors import LearnError
from ordinis_learn.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def _everything() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_every_error_code_is_documented_once_and_none_is_invented():
    classes = [
        value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, LearnError)
    ]
    codes = {entry.code for entry in classes} - {"E_LEARN"}
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(E_[A-Z_]+)` \| (yes|no) \|", page, flags=re.MULTILINE)
    assert {code for code, _ in rows} == codes
    retryable = {entry.code: entry.retryable for entry in classes}
    assert all(retryable[code] == (answer == "yes") for code, answer in rows)


def test_every_setting_is_documented_with_its_default():
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    defaults = load_settings()
    for name in Settings.model_fields:
        if name in {"home", "profile", "actor"}:
            assert f"`ORDINIS_{name.upper()}`" in page
            continue
        value = getattr(defaults, name)
        text = value if isinstance(value, str) else json.dumps(value)
        row = re.search(rf"^\| `{name.upper()}` \| `(.+?)` \|", page, flags=re.MULTILINE)
        assert row is not None, name
        assert row[1].rstrip("0") == text.rstrip("0") or row[1] == text


def test_every_command_named_in_the_docs_exists():
    for words in re.findall(r"ordinis-learn((?: --home \S+)?(?: [a-z][a-z-]*){1,2})", _everything()):
        path = [word for word in words.split() if not word.startswith(("-", "/", "."))][:2]
        assert path[0] in COMMANDS, words
        assert CliRunner().invoke(main, [path[0], "--help"]).exit_code == 0


def test_every_command_that_an_error_tells_to_type_exists():
    packages = ("ordinis_learn", "plugins/ordinis_mlflow", "registry_db/ordinis_registry")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    hints = re.compile(
        r"(?:next_step|example)\s*=[^\n]*(?<!upgrade )(?<!install )(?<!-U )(?<!that )ordinis-learn ([a-z]+(?:-[a-z]+)*)(?: ([a-z][a-z-]*))?"
    )
    named = [match for path in sources for match in hints.findall(path.read_text(encoding="utf-8"))]
    assert len(named) > 20
    context = click.Context(main)
    for first, second in named:
        command = main.get_command(context, first)
        assert command is not None, first
        if isinstance(command, click.Group) and second:
            assert second in command.commands, f"{first} {second}"


def test_every_link_between_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_readme_has_the_two_commands_that_ci_and_newcomers_use():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, ending in (
        ("main", "mlflow run . --env-manager local"),
        ("test", "python -Im pytest -n logical --dist worksteal"),
    ):
        block = re.search(rf"<!-- {name}-command -->\n```bash\n(.+)\n```", text)
        assert block is not None
        assert block[1].startswith("python3 -m venv .venv")
        assert block[1].endswith(ending)
        assert "\n" not in block[1]
