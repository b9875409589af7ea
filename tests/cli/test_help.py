"""The command line as a newcomer meets it."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from ordinis_learn.cli import COMMANDS, main


def _every_command() -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        paths.append((name,))
        if isinstance(command, click.Group):
            paths.extend((name, child) for child in command.commands)
    return paths


@pytest.mark.parametrize("path", _every_command(), ids=" ".join)
def test_every_help_has_an_example_that_parses(path):
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    example = done.output.split("Example: ")[-1]
    words = " ".join(example.split())
    assert words.startswith("ordinis-learn")
    assert path[0] in words


def test_listed_help_is_the_command_s_own_first_line():
    context = click.Context(main)
    for name, line in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == line


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom ordinis_learn.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'mlflow', 'pydantic', 'numpy', 'pyarrow', 'pandas', 'rich'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_unknown_command_is_an_error():
    assert CliRunner().invoke(main, ["frobnicate"]).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["loop", "--seed", "-3"],
        ["loop", "--trials", "0"],
        ["packs", "generate", "--seed", "-1"],
        ["shadow", "replay", "m", "1", "--start", "2022-13-01", "--end", "2022-12-01"],
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_opened(words, tmp_path):
    done = CliRunner().invoke(main, ["--home", str(tmp_path), *words])
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_pack_id_that_leads_out_of_its_folder_is_a_message_not_a_traceback(tmp_path):
    done = CliRunner().invoke(main, ["--home", str(tmp_path), "packs", "generate", "--pack", "../evil"])
    assert done.exit_code == 1
    assert "E_CFG_INVALID" in done.output


def test_sigterm_unwinds_what_a_command_has_open():
    code = (
        "import os, signal\n"
        "from ordinis_learn.cli.command import learn_command\n"
        "@learn_command('wait', example='ordinis-learn wait')\n"
        "def wait():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "    finally:\n"
        "        print('closed', flush=True)\n"
        "wait([])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (143, "closed\n")
