import json

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main

FILL = {"order_id": "o", "quantity": 1, "price": 2.0, "timestamp": "2024-01-02T21:00:00"}
OLD = {
    "event_type": "fill",
    "timestamp": "2024-01-02T21:00:01",
    "source": "x",
    "symbol": "KO",
    "payload": FILL,
}


@pytest.fixture
def run(tmp_path):
    def call(*arguments, lines=(OLD,)):
        path = tmp_path / "old.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)) + "\n")
        return CliRunner().invoke(
            main, ["--home", str(tmp_path / "home"), "events", "import", *arguments, str(path)]
        )

    return call


@pytest.mark.slow
def test_a_file_is_imported_once_and_what_nobody_declared_is_quarantined(run):
    refused = run("--adapter", "ordinis-legacy")  # the source's times are not declared to be UTC
    assert refused.exit_code == 1
    assert "1 quarantined" in refused.output
    options = ("--adapter", "ordinis-legacy", "--naive-utc", "x", "--tag", "venue=paper", "--horizon", "5d")
    assert run(*options, lines=[OLD, OLD]).output == "1 stored, 1 seen before, 0 quarantined\n"
    assert run(*options).output == "0 stored, 1 seen before, 0 quarantined\n"


@pytest.mark.parametrize(
    "options",
    [("--tag", "venue"), ("--tag", "a=1", "--tag", "a=2"), ("--horizon", "0d"), ("--horizon", "day")],
)
def test_options_that_cannot_be_meant_are_refused(run, options):
    result = run("--adapter", "ordinis-legacy", *options)
    assert result.exit_code == 2
    assert options[0] in result.output
