"""The format: what is a pack, what is refused and why, and that its hash is its identity."""

import json
import math

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ordinis_learn.cli import main
from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt
from ordinis_learn.prompts import (
    PromptPack,
    chat_request,
    check_pack,
    fill_template,
    load_prompt_pack,
    read_pack_file,
    render,
    save_prompt_pack,
    template_variables,
)
from ordinis_learn.use_cases.register_prompts import parse_prompts


def test_cortex_has_its_three_tasks_and_each_example_keeps_to_its_schema(cortex):
    assert sorted(cortex.tasks) == ["analyze_code", "plan_task", "synthesize_research"]
    assert all(task.examples for task in cortex.tasks.values())


def test_a_bundle_comes_back_as_it_went_and_its_bytes_are_canonical(cortex, tmp_path):
    save_prompt_pack(cortex, tmp_path / "one")
    save_prompt_pack(cortex, tmp_path / "two")
    assert load_prompt_pack(tmp_path / "one") == cortex
    assert (tmp_path / "one" / "pack.json").read_bytes() == (tmp_path / "two" / "pack.json").read_bytes()


def test_a_changed_comma_is_another_pack(cortex, values):
    values["tasks"]["plan_task"]["system"] += ","
    assert PromptPack.model_validate(values).content_hash() != cortex.content_hash()


def test_a_pack_without_a_search_has_the_bytes_that_it_had_before_there_were_searches(cortex):
    assert set(json.loads(cortex.canonical())) == {"description", "format", "parameters", "safety", "tasks"}
    assert PromptPack.model_validate_json(cortex.canonical()) == cortex


def test_rendering_shows_schema_safety_examples_and_question_in_this_order(cortex):
    messages = render(cortex, "synthesize_research", {"query": "Why?", "documents": "none"})
    assert [turn.role for turn in messages] == ["system", "user", "assistant", "user"]
    assert '"claims"' in messages[0].content
    assert "Every claim cites" in messages[0].content
    assert "never" in messages[0].content.lower()
    assert json.loads(messages[2].content)["claims"]
    assert messages[3].content.startswith("Question: Why?")
    assert "Every claim cites" not in render(cortex, "plan_task", {"goal": "x"})[0].content


def test_what_a_variable_holds_is_never_read_as_a_template(cortex):
    said = render(cortex, "plan_task", {"goal": "{{goal}} and {{code}}"})[-1].content
    assert said == "Goal: {{goal}} and {{code}}\n"


def test_the_same_question_has_the_same_request_hash(cortex):
    one, other = (chat_request(cortex, "plan_task", {"goal": "x"}).request_hash() for _ in range(2))
    assert one == other != chat_request(cortex, "plan_task", {"goal": "y"}).request_hash()


@pytest.mark.parametrize(
    ("task", "variables", "found"),
    [
        ("plan", {"goal": "x"}, "analyze_code, plan_task"),
        ("plan_task", {}, "missing: goal"),
        ("plan_task", {"goal": "x", "style": "y"}, "not declared: style"),
        ("plan_task", {"goal": 3}, "no text: goal"),
    ],
)
def test_a_question_that_does_not_fit_is_refused(cortex, task, variables, found):
    with pytest.raises(ConfigInvalid, match=found):
        render(cortex, task, variables)


def at(values, path, value):
    *parents, last = path
    for key in parents:
        values = values[key]
    if value is None:
        del values[last]
    else:
        values[last] = value


PLAN = ("tasks", "plan_task")
WRONG = {
    "no tasks": (("tasks",), {}, "tasks"),
    "unknown field": (("extra",), 1, "extra"),
    "other format": (("format",), "ordinis.prompt_pack/2", "format"),
    "no parameters": (("parameters",), None, "parameters"),
    "no model": (("parameters", "model"), None, "parameters.model"),
    "a temperature of 3": (("parameters", "temperature"), 3.0, "parameters.temperature"),
    "no tokens": (("parameters", "max_tokens"), 0, "parameters.max_tokens"),
    "a word for cite": (("safety", "cite"), "always", "safety.cite"),
    "an empty prompt": ((*PLAN, "user"), "", "user"),
    "a task's name": (("tasks", "Plan Task"), {}, "Plan Task"),
    "an undeclared variable": ((*PLAN, "user"), "Goal: {{goal}} {{when}}", "when, which is not declared"),
    "an unused variable": ((*PLAN, "variables"), ["goal", "when"], "declared and not used"),
    "a variable twice": ((*PLAN, "variables"), ["goal", "goal"], "declared twice"),
    "a variable in the system": ((*PLAN, "system"), "About {{goal}}", "system template takes variables"),
    "stray braces": ((*PLAN, "user"), "Goal: {{goal}} {{", "belongs to no variable"),
    "an expression": ((*PLAN, "user"), "{{goal}} {{goal.upper()}}", "belongs to no variable"),
    "a schema that is none": ((*PLAN, "output_schema", "type"), "objekt", "type"),
    "an answer that is no object": ((*PLAN, "output_schema"), {"type": "array"}, "is an object"),
    "an example outside its schema": ((*PLAN, "examples", 0, "output"), {"steps": []}, "example 1"),
    "an example without its variable": ((*PLAN, "examples", 0, "variables"), {}, "example 1 gives"),
    "no schema": ((*PLAN, "output_schema"), None, "output_schema"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_the_place(values, written, name):
    path, value, place = WRONG[name]
    at(values, path, value)
    with pytest.raises(ConfigInvalid, match=place) as caught:
        read_pack_file(written(values))
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tasks: [", "while parsing"),
        ("format: a\nformat: b\n", "given twice"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("- a list", "the file"),
        ("", "the file"),
    ],
)
def test_a_file_that_is_no_pack_at_all_is_refused(written, text, found):
    with pytest.raises(ConfigInvalid, match=found):
        read_pack_file(written(text))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"nothing\.yaml"):
        read_pack_file(tmp_path / "nothing.yaml")


def test_a_bundle_that_was_changed_is_refused(cortex, tmp_path):
    save_prompt_pack(cortex, tmp_path / "one")
    path = tmp_path / "one" / "pack.json"
    whole = path.read_bytes()
    for content, found in (
        (whole[:-1], "pack.json"),
        (whole + b"\n", "canonical"),
        (whole.replace(b'"cite":"required"', b'"cite":"perhaps"'), "safety.cite"),
        (whole.replace(b"{{goal}}", b"{{gaol}}"), "gaol"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataCorrupt, match=found):
            load_prompt_pack(tmp_path / "one")
    path.write_bytes(whole)
    (tmp_path / "one" / "code.py").write_text("import os")
    with pytest.raises(DataCorrupt, match=r"code\.py"):
        load_prompt_pack(tmp_path / "one")
    with pytest.raises(ArtifactMissing):
        load_prompt_pack(tmp_path / "two")


@given(st.text(), st.text())
def test_filling_puts_exactly_the_text_there(before, value):
    safe = before.replace("{", "(").replace("}", ")")
    assert fill_template(safe + "{{ x }}", {"x": value}) == safe + value
    assert template_variables(safe + "{{ x }}") == ("x",)


DEEP = "{" + "a: {" * 3000 + "}" * 3001
LAUGHS = "x0: &x0 [1,1,1,1], " + ", ".join(
    f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}, *x{n - 1}]" for n in range(1, 30)
)
HOSTILE = {
    "nan": ("output: {x: .nan}", "x: nan is no JSON number"),
    "infinity": ("output: {x: [1, -.inf]}", r"x\.1: -inf is no JSON number"),
    "a date": ("output: {x: 2026-01-01}", "a date is no JSON"),
    "bytes": ("output: {x: !!binary aGk=}", "a bytes is no JSON"),
    "a set": ("output: {x: !!set {a, b}}", "a set is no JSON"),
    "a number for a key": ("output: {x: {1: 2}}", "the key 1 is no text"),
    "a large integer": ("output: {x: 9007199254740993}", "beyond 2⁵³"),
    "half a character": ('output: {x: "\\ud800"}', "surrogate"),
    "a NUL": ('output: {x: "\\0"}', "NUL"),
    "an example that contains itself": ("output: &a {x: *a}", "recursive node"),
    "a billion laughs": (
        f"output: {{{LAUGHS}}}",
        "more than 200,000 values",
    ),
    "too deep": (f"output: {DEEP}", "nested"),
    "nothing": ("output: 3", "output"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_json_can_hold_is_refused_by_its_place(written, name):
    example, found = HOSTILE[name]
    text = f"""
parameters: {{model: m}}
tasks:
  t:
    system: s
    user: "{{{{q}}}}"
    variables: [q]
    output_schema: {{type: object}}
    examples:
      - variables: {{q: why}}
        {example}
"""
    with pytest.raises(ConfigInvalid, match=found) as caught:
        read_pack_file(written(text))
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "object", "properties": {"x": {"pattern": "("}}}, r"\$\.properties\.x\.pattern: '\('"),
        ({"type": "object", "patternProperties": {"[": {}}}, "is not a 'regex'"),
        ({"type": "object", "properties": {"x": {"minimum": float("inf")}}}, "no JSON number"),
        ({"type": "object", "properties": {"x": {"const": {"pattern": "("}}}}, None),
    ],
)
def test_a_schema_that_would_fail_only_with_an_answer_is_refused_at_once(values, schema, found):
    values["tasks"] = {
        "t": {"system": "s", "user": "{{q}}", "variables": ["q"], "output_schema": schema, "examples": []}
    }
    pack = PromptPack.model_validate(values)
    if found is None:
        check_pack(pack)
        return
    with pytest.raises(ConfigInvalid, match=found):
        check_pack(pack)


@pytest.mark.parametrize(
    ("task", "variables", "found"),
    [
        ("plan_task", '{"goal": ', "row b of a prompt pack: JSONDecodeError"),
        ("plan_task", '["goal"]', "row b of a prompt pack: TypeError: a JSON list"),
        ("plan_task", '[["goal", "x"]]', "row b of a prompt pack: TypeError: a JSON list"),
        (
            "plan_task",
            '{"goal": "x", "goal": "sell"}',
            "row b of a prompt pack: ValueError: goal is given twice",
        ),
        ("plan_task", '{"goal": "\\ud800"}', "goal: half of a surrogate pair"),
        ("plan_task", '"goal"', "TypeError: a JSON str"),
        ("plan_task", None, "TypeError"),
        ("plan_task", '{"goal": NaN}', "goal: nan is no JSON number"),
        ("plan_task", '{"goal": 3}', "no text: goal"),
        ("plan_task", "{}", "missing: goal"),
        ("plan", '{"goal": "x"}', "the pack has"),
        (None, '{"goal": "x"}', "the pack has"),
        ("plan_task", "[" * 100_000, "row b"),
    ],
)
def test_a_wrong_row_of_a_frame_is_named(cortex, task, variables, found):
    from ordinis_mlflow.pyfunc import PromptPackFrame

    good = {"task": "plan_task", "variables": '{"goal": "x"}'}
    frame = pd.DataFrame([good, {"task": task, "variables": variables}], index=["a", "b"])
    with pytest.raises(ConfigInvalid, match=found):
        PromptPackFrame(cortex).predict(frame)
    with pytest.raises(ConfigInvalid, match="no column variables"):
        PromptPackFrame(cortex).predict(frame[["task"]])
    assert len(PromptPackFrame(cortex).predict(frame[:1])) == 1


@pytest.mark.parametrize(
    ("system", "found"),
    [
        ("Say {% for x in y %} nothing.", "which MLflow would run"),
        ("%} and {%", "which MLflow would run"),
        ("{%- include 'x' -%}", "which MLflow would run"),
        ("Say {{goal}}.", "takes variables"),
        ("Say {{ }}.", "belongs to no variable"),
    ],
)
def test_a_template_that_is_a_program_is_refused_by_its_task_when_it_is_checked(
    values, tmp_path, system, found
):
    values["tasks"]["plan_task"]["system"] = system
    file = tmp_path / "pack.json"
    file.write_text(json.dumps(values))
    checked = CliRunner().invoke(main, ["prompts", "check", str(file)])
    assert (checked.exit_code, "'plan_task'" in checked.output, found in checked.output) == (1, True, True)


def test_an_example_without_a_number_is_refused_by_its_place_in_python_too(values):
    values["tasks"]["plan_task"]["examples"][0]["output"] = {"steps": [{"id": math.nan}]}
    with pytest.raises(ConfigInvalid, match=r"example 1 output: steps\.0\.id: nan is no JSON number"):
        parse_prompts({"model_type": "prompt_pack", "name": "cortex", "pack": values})
