"""Dashboard and alert rules: every metric and label they name exists, and every expression parses."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ordinis_learn.observability import FAMILIES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "observability"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
EXPRESSIONS += [rule["expr"] for rule in RULES]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_parses_and_names_what_there_is(expression):
    promql = pytest.importorskip("promql_parser", reason="pip install promql-parser")
    promql.parse(expression.replace("$model_type", ".*"))
    names = set(re.findall(r"\blearn_[a-z_]+", expression))
    assert names
    assert names <= FAMILIES.keys()
    known = {label for name in names for label in FAMILIES[name].labels}
    grouped = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    matched = re.findall(r"[{,]\s*([a-z_]+)\s*[!=]", expression)
    asked = {label.strip() for group in grouped for label in group.split(",")} | set(matched)
    assert asked - {""} <= known


def test_a_parser_that_takes_everything_would_be_noticed():
    promql = pytest.importorskip("promql_parser", reason="pip install promql-parser")
    with pytest.raises(ValueError, match="parenthesis"):
        promql.parse("sum(learn_events_total")


def test_every_metric_is_on_the_dashboard_or_in_a_rule():
    watched = set(re.findall(r"learn_[a-z_]+", "\n".join(EXPRESSIONS)))
    assert watched == set(FAMILIES)


def test_the_dead_man_s_switch_is_there():
    (rule,) = [rule for rule in RULES if rule["alert"] == "LearnNoDriftCheck"]
    assert "time() - learn_drift_check_due_timestamp_seconds > 2 * 3600" in rule["expr"]
    assert rule["labels"]["severity"] == "critical"


def test_every_alert_says_what_happened_and_what_to_do():
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "action"}
        known = {
            label for name in re.findall(r"learn_[a-z_]+", rule["expr"]) for label in FAMILIES[name].labels
        }
        assert set(re.findall(r"\$labels\.([a-z_]+)", rule["annotations"]["summary"])) <= known


def test_the_dashboard_is_what_its_script_makes():
    spec = importlib.util.spec_from_file_location("make_dashboard", FOLDER / "make_dashboard.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.dashboard() == DASHBOARD


def test_panels_do_not_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_documented():
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    for name, family in FAMILIES.items():
        labels = f"{{{','.join(family.labels)}}}" if family.labels else ""
        assert f"| `{name}{labels}` | {family.kind} |" in page


def test_prometheus_itself_agrees():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    for words in (
        ["check", "config", FOLDER / "prometheus.yaml"],
        ["test", "rules", Path(__file__).with_name("alerts_test.yaml")],
    ):
        done = subprocess.run([promtool, *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
