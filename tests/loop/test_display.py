"""The closing lines must survive copy and paste, and markup must not eat them."""

from __future__ import annotations

import io

from rich.console import Console

from ordinis_learn.loop.display import Display


def _printed(act) -> str:
    sink = io.StringIO()
    act(Display(Console(file=sink, width=40)))
    return sink.getvalue()


def test_commands_are_not_wrapped_or_cut():
    command = "mlflow server --backend-store-uri sqlite:////a/very/long/path/registry_db/ordinis.db [x]"
    assert command in _printed(lambda display: display.closing("Next", [command]))


def test_a_reason_with_brackets_is_printed_as_it_is():
    assert "[E_LEARN_GATE_FAILED]" in _printed(
        lambda display: display.say("FAIL approvals [E_LEARN_GATE_FAILED]")
    )


def test_an_undefined_number_is_a_dash():
    assert "–" in _printed(lambda display: display.table("metric", "v1", rows=[("sharpe", None)]))
