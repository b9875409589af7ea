"""``ordinis-learn doctor`` changes nothing and says what to type."""

from __future__ import annotations

import json

from click.testing import CliRunner

from ordinis_learn.cli import main


def _doctor(home):
    return CliRunner().invoke(main, ["--home", str(home), "doctor"])


def test_a_new_home_is_fine_and_stays_empty(tmp_path):
    done = _doctor(tmp_path)
    assert done.exit_code == 0, done.output
    assert "missing" not in done.output
    assert "ordinis+sqlite" in done.output
    assert list(tmp_path.iterdir()) == []


def test_loose_keys_and_a_broken_database_are_named_with_what_to_type(tmp_path):
    (tmp_path / "keys").mkdir()
    key = tmp_path / "keys" / "learn-service.pem"
    key.write_text("secret")
    key.chmod(0o644)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "events.db").write_bytes(b"nonsense" * 1000)
    done = _doctor(tmp_path)
    assert done.exit_code == 1
    assert f"chmod 600 {key}" in done.output
    assert "restore it from a backup" in done.output


def test_a_server_of_events_that_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("LEARN_EVENTS_URL", "postgresql://nobody@127.0.0.1:1/x")
    done = _doctor(tmp_path)
    assert done.exit_code == 1
    assert "LEARN_EVENTS_URL" in done.output


def test_a_wrong_setting_is_the_first_thing_said(tmp_path, monkeypatch):
    monkeypatch.setenv("LEARN_MIN_SAMPLES", "many")
    done = _doctor(tmp_path)
    assert done.exit_code == 1
    assert "LEARN_MIN_SAMPLES" in done.output


def test_schemas_are_exported_as_json_schema(tmp_path):
    done = CliRunner().invoke(main, ["schema", "export", "--folder", str(tmp_path / "schemas")])
    assert done.exit_code == 0, done.output
    names = {path.stem for path in (tmp_path / "schemas").glob("*.json")}
    assert {
        "ModelArtifact",
        "DatasetManifest",
        "Scorecard",
        "Envelope",
        "SignalGenerated",
        "Settings",
    } <= names
    schema = json.loads((tmp_path / "schemas" / "ModelArtifact.json").read_text())
    assert schema["properties"]["artifact_sha256"]["pattern"] == "^[0-9a-f]{64}$"
    assert CliRunner().invoke(main, ["schema", "export", "Nothing"]).exit_code == 1
