"""Where settings come from, and which source wins."""

from __future__ import annotations

import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.settings import load_settings


def test_home_is_the_working_directory_and_never_the_user_s_home(monkeypatch, tmp_path):
    monkeypatch.delenv("ORDINIS_HOME", raising=False)
    monkeypatch.setenv("HOME", "/somewhere/else")
    monkeypatch.setenv("ACTOR", "somebody")
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.home == tmp_path
    assert settings.actor != "somebody"


def test_argument_beats_prefixed_beats_bare_beats_profile_beats_default(monkeypatch, tmp_path):
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path))
    monkeypatch.setenv("ORDINIS_PROFILE", "paper")
    assert load_settings().learn_min_samples == 1000
    (tmp_path / "ordinis.toml").write_text("[paper]\nlearn_min_samples = 1\n[dev]\nlearn_min_samples = 9\n")
    assert load_settings().learn_min_samples == 1
    monkeypatch.setenv("LEARN_MIN_SAMPLES", "2")
    assert load_settings().learn_min_samples == 2
    monkeypatch.setenv("ORDINIS_LEARN_MIN_SAMPLES", "3")
    assert load_settings().learn_min_samples == 3
    assert load_settings(learn_min_samples=4).learn_min_samples == 4


def test_lists_are_json(monkeypatch):
    monkeypatch.setenv("LEARN_EVAL_PACKS", '["a", "b"]')
    assert load_settings().learn_eval_packs == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEARN_MIN_SAMPLES", "many"),
        ("LEARN_MIN_SAMPLES", "0"),
        ("LEARN_DATASET_RETENTION_DAYS", "30"),
        ("LEARN_EVAL_PACKS", "bench_core_v1"),
        ("ORDINIS_PROFILE", "production"),
    ],
)
def test_a_wrong_value_names_the_setting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigInvalid) as caught:
        load_settings()
    assert name.removeprefix("ORDINIS_") in str(caught.value).upper()


@pytest.mark.parametrize("text", ["[dev", "[dev]\nlearn_min_sampels = 3\n"])
def test_a_wrong_profile_file_is_refused(monkeypatch, tmp_path, text):
    monkeypatch.setenv("ORDINIS_HOME", str(tmp_path))
    (tmp_path / "ordinis.toml").write_text(text)
    with pytest.raises(ConfigInvalid):
        load_settings()
