"""Keys from creation to revocation, as typed."""

from __future__ import annotations

from click.testing import CliRunner

from ordinis_learn.cli import main


def typed(home, *words):
    done = CliRunner().invoke(main, ["--home", str(home), *words])
    return done.exit_code, done.output


def test_the_life_of_a_key(tmp_path):
    home, elsewhere = tmp_path / "desk", tmp_path / "laptop"
    assert typed(elsewhere, "keys", "create", "risk-officer", "--role", "approver")[0] == 0
    code, pem = typed(elsewhere, "keys", "show", "risk-officer", "--pem")
    assert (code, pem.splitlines()[0]) == (0, "-----BEGIN PUBLIC KEY-----")
    (tmp_path / "risk.pem").write_text(pem)
    words = ("--public-key", str(tmp_path / "risk.pem"), "--role", "approver", "--group", "risk")
    assert typed(home, "keys", "trust", "risk-officer", *words)[0] == 0
    assert "approver, risk" in typed(home, "keys", "show", "risk-officer")[1]
    assert typed(home, "keys", "create", "head", "--role", "approver", "--group", "head_of_desk")[0] == 0
    assert typed(home, "keys", "rotate", "head", "--reason", "yearly")[0] == 0
    assert typed(home, "keys", "revoke", "risk-officer", "--reason", "left")[0] == 0
    listed = typed(home, "keys", "list")[1]
    assert sorted(line.split()[1] for line in listed.splitlines()) == ["retired", "revoked", "trusted"]
    assert typed(home, "keys", "show", "nobody")[0] == 1
    assert typed(home, "keys", "rotate", "risk-officer")[0] == 1
