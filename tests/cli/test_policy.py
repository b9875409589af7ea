"""Policies as typed."""

from __future__ import annotations

from importlib import resources

from click.testing import CliRunner

from ordinis_learn.cli import main

PACKAGED = resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml"


def typed(home, *words):
    done = CliRunner().invoke(main, ["--home", str(home), *words])
    return done.exit_code, done.output


def test_show_check_and_what_if(tmp_path):
    path = tmp_path / "desk_v2.yaml"
    path.write_text(PACKAGED.read_text(encoding="utf-8").replace("policy_id: gov_v1", "policy_id: desk_v2"))
    assert "delta_sharpe" in typed(tmp_path, "policy", "show")[1]
    code, output = typed(tmp_path, "policy", "check", str(path))
    assert (code, output.split()[0]) == (0, "desk_v2")
    assert typed(tmp_path, "policy", "what-if", str(path)) == (
        0,
        "0 of 0 decisions would have been another under desk_v2\n",
    )
    assert typed(tmp_path, "policy", "what-if", "gov_v1")[0] == 0
    assert typed(tmp_path, "ledger", "replay") == (0, "0 of 0 decisions made again, all identical\n")
    path.write_text("policy_id: desk_v2")
    code, output = typed(tmp_path, "policy", "check", str(path))
    assert (code, output.splitlines()[0]) == (1, "E_CFG_INVALID")
