"""A governed pack's prompts in MLflow's registry: its text, its aliases, and no way round."""

from __future__ import annotations

import contextlib
import os

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from mlflow import MlflowClient  # noqa: TID253  what is tested here is a leaf of MLflow
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.prompt import constants  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253

from ordinis_learn import open_engine
from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.prompts import chat_template, read_pack_file, render
from ordinis_learn.wiring import registry_uri, tracking_uri
from ordinis_registry.linked_prompts import PROMPT_TAGS

PLAN = "cortex.plan_task"


@pytest.fixture
def cortex(cortex_file):
    return read_pack_file(cortex_file)


@pytest.fixture
def client(engine):
    settings = engine.workbench.settings
    return MlflowClient(tracking_uri=tracking_uri(settings), registry_uri=registry_uri(settings))


def registered(engine, pack, **changes):
    return engine.train({"model_type": "prompt_pack", "name": "cortex", "pack": pack.to_json() | changes})


def load(client, address):
    return client.load_prompt(address, cache_ttl_seconds=0)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_engine(request, tmp_path, monkeypatch):
    """A desk whose registry is on each kind of database, and the address by which a stock store reaches the same one."""
    if request.param == "sqlite":
        engine = request.getfixturevalue("engine")
        yield engine, f"sqlite:///{engine.workbench.settings.database_path}"
        return
    url = request.getfixturevalue("postgres")
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"ordinis+{url}")
    with open_engine(home=tmp_path / "desk", actor="researcher") as opened:
        yield opened, url


def client_of(engine):
    settings = engine.workbench.settings
    return MlflowClient(tracking_uri=tracking_uri(settings), registry_uri=registry_uri(settings))


@contextlib.contextmanager
def behind_the_store(url):
    """Write as somebody does who may write any SQL."""
    database = sa.create_engine(url)
    with database.begin() as connection:
        postgres = database.dialect.name == "postgresql"
        found = connection.exec_driver_sql(
            "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            if postgres
            else "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
        )
        for trigger, table in found.fetchall():
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}" + (f" ON {table}" if postgres else ""))
        yield connection
    database.dispose()


def test_every_task_of_a_registered_pack_reads_the_same_in_mlflow(any_engine, cortex):
    engine, _url = any_engine
    client = client_of(engine)
    registered(engine, cortex)
    linked = engine.workbench.registry.linked_prompts("cortex", "1")
    assert linked == {task: f"prompts:/cortex.{task}/1" for task in cortex.tasks}
    prompt = load(client, linked["synthesize_research"])
    asked = {"query": "Did margins improve?", "documents": "[doc_id: 10-Q]\nMargin was 41 %, a {sic} of \\1."}
    assert prompt.format(**asked) == [turn.to_json() for turn in render(cortex, "synthesize_research", asked)]
    assert prompt.template == chat_template(cortex, "synthesize_research")
    assert prompt.response_format == cortex.tasks["synthesize_research"].output_schema
    assert prompt.model_config["model_name"] == "cortex-small"
    assert load(client, f"prompts:/{PLAN}@pack-1").tags["ordinis.pack"] == "models:/cortex/1"
    assert {one.name for one in client.search_prompts()} == {f"cortex.{task}" for task in cortex.tasks}

    assert engine.workbench.registry.link_prompts("cortex", "1") == linked  # again changes nothing
    tasks = cortex.to_json()["tasks"]
    second = registered(engine, cortex, tasks={"plan_task": tasks["plan_task"] | {"system": "Be brief."}})
    assert second.version == "2"
    assert engine.workbench.registry.linked_prompts("cortex", "2") == {"plan_task": f"prompts:/{PLAN}/2"}
    assert load(client, f"prompts:/{PLAN}/2").template[0]["content"].startswith("Be brief.")
    assert not list(engine.workbench.ledger.verify())

    # A pack that never traded may go; one of its name begins with version 1 again, and so must not find the old text.
    client.delete_registered_model("cortex")
    again = registered(engine, cortex, tasks={"plan_task": tasks["plan_task"] | {"system": "Be quick."}})
    assert again.version == "1"
    assert engine.workbench.registry.linked_prompts("cortex", "1") == {"plan_task": f"prompts:/{PLAN}/3"}
    assert load(client, f"prompts:/{PLAN}@pack-1").template[0]["content"].startswith("Be quick.")


def test_a_linked_prompt_is_not_changed_by_hand(any_engine, cortex):
    engine, _url = any_engine
    client = client_of(engine)
    registered(engine, cortex)
    store = client._get_registry_client().store  # past what MLflow's client keeps from prompts by itself
    text, kind = ModelVersionTag("mlflow.prompt.text", "Buy everything."), "mlflow.prompt.is_prompt"
    ways = (
        lambda: store.create_prompt_version(PLAN, "Buy everything. {{goal}}"),
        lambda: store.set_model_version_tag(PLAN, "1", text),
        lambda: store.delete_model_version_tag(PLAN, "1", text.key),
        lambda: store.set_registered_model_tag(PLAN, RegisteredModelTag(kind, "false")),
        lambda: store.delete_registered_model_tag(PLAN, kind),
        lambda: store.set_prompt_alias(PLAN, "active", 1),
        lambda: store.set_prompt_alias(PLAN, "Shadow", 1),
        lambda: store.set_prompt_alias(PLAN, "pack-7", 1),
        lambda: store.delete_prompt_alias(PLAN, "pack-1"),
        lambda: store.delete_prompt_version(PLAN, "1"),
        lambda: store.delete_prompt(PLAN),
        lambda: store.rename_registered_model(PLAN, "cortex.other"),
        lambda: store.transition_model_version_stage(PLAN, "1", "archived", False),
        lambda: store.transition_model_version_stage(PLAN, "1", "active", True),
    )
    for act in ways:
        with pytest.raises(MlflowException) as caught:
            act()
        assert caught.value.error_code == "PERMISSION_DENIED", str(caught.value)
    with pytest.raises(MlflowException, match="follows it"):
        client.register_prompt(PLAN, "Buy everything. {{goal}}")
    client.set_prompt_alias(PLAN, "draft", 1)  # what nobody loads by rule is free
    assert load(client, f"prompts:/{PLAN}@draft").version == 1
    refused = [
        record for record in engine.workbench.ledger.history(PLAN) if record.action == "prompt.refused"
    ]
    assert len(refused) == 12


def test_a_text_that_was_changed_behind_the_store_is_found_and_not_loaded(any_engine, cortex):
    engine, url = any_engine
    client = client_of(engine)
    registered(engine, cortex)
    with behind_the_store(url) as connection:
        connection.execute(
            sa.text(
                "UPDATE model_version_tags SET value = replace(value, 'steps', 'trades') "
                "WHERE name = :name AND key = 'mlflow.prompt.text'"
            ),
            {"name": PLAN},
        )
        connection.execute(
            sa.text(
                "INSERT INTO registered_model_aliases (workspace, name, alias, version) "
                "VALUES ('default', :name, 'active', 1)"
            ),
            {"name": PLAN},
        )
    for address in (f"prompts:/{PLAN}/1", f"prompts:/{PLAN}@active"):
        with pytest.raises(MlflowException, match="not what was linked"):
            load(client, address)
    assert load(client, "prompts:/cortex.analyze_code/1").version == 1
    home = str(engine.workbench.settings.home)
    found = CliRunner().invoke(main, ["--home", home, "ledger", "reconcile"])
    assert f"{PLAN} 1: artifact: its text is not what was linked" in found.output
    assert f"{PLAN}: alias: 'active' points to 1, the ledger says None" in found.output
    CliRunner().invoke(main, ["--home", home, "ledger", "reconcile", "--repair"])
    again = CliRunner().invoke(main, ["--home", home, "ledger", "reconcile"])
    assert "alias" not in again.output
    assert "its text is not what was linked" in again.output


def test_a_stock_store_on_the_same_database_moves_nothing_that_is_then_followed(any_engine, cortex):
    """Whoever opens the database by MLflow's own store is past ours, and so is a server that was started without the plugin."""
    engine, url = any_engine
    client = client_of(engine)
    registered(engine, cortex)
    tasks = cortex.to_json()["tasks"]
    registered(engine, cortex, tasks=tasks | {"plan_task": tasks["plan_task"] | {"system": "Sell."}})
    stock = SqlAlchemyStore(url)
    for act in (
        lambda: stock.set_registered_model_alias(PLAN, "active", "2"),
        lambda: stock.delete_model_version(PLAN, "1"),
        lambda: stock.delete_registered_model(PLAN),
    ):
        with pytest.raises(MlflowException, match="E_LEARN_ROLLOUT_DENIED"):
            act()
    stock.set_registered_model_alias(PLAN, "pack-1", "2")  # its text is a linked one, of another pack
    stock.set_registered_model_alias(PLAN, "pack-9", "2")
    stock.set_registered_model_tag(PLAN, RegisteredModelTag("mlflow.prompt.is_prompt", "false"))
    made = stock.create_model_version(PLAN, "prompt-template", tags=list(_prompt_tags()))
    stock.set_registered_model_alias(PLAN, "draft", made.version)
    stock.engine.dispose()

    store = client._get_registry_client().store
    for alias, found in (("pack-1", "the ledger says 1"), ("pack-9", "None"), ("draft", "behind the store")):
        with pytest.raises(MlflowException, match=found):
            store.get_model_version_by_alias(PLAN, alias)
    assert store.get_model_version_by_alias(PLAN, "pack-2").version == 2
    home = str(engine.workbench.settings.home)

    def typed(*words):
        return CliRunner().invoke(main, ["--home", home, *words]).output

    found = typed("ledger", "reconcile", "--repair")
    assert f"{PLAN}: alias: 'pack-1' points to 2, the ledger says 1" in found
    assert f"{PLAN}: alias: 'pack-9' points to 2, the ledger says None" in found
    assert f"{PLAN}: artifact: it no longer says that it is a prompt" in found
    assert f"{PLAN} 3: artifact: made behind the store" in found
    assert "it is a prompt" not in typed("prompts", "link", "cortex", "1")
    again = typed("ledger", "reconcile")
    assert ("alias" in again, "it is a prompt" in again, "made behind" in again) == (False, False, True)
    assert load(client, f"prompts:/{PLAN}@pack-1").template[0]["content"].startswith("You break")


def _prompt_tags():
    yield ModelVersionTag("mlflow.prompt.is_prompt", "true")
    yield ModelVersionTag("mlflow.prompt.text", "Buy everything.")


@pytest.mark.parametrize(
    ("system", "found"),
    [
        ("Say {% for x in y %} nothing.", "which MLflow would run"),
        ("Say {{goal}}.", "takes variables"),
        ("x" * 99_900, "MLflow holds 100,000"),
    ],
)
def test_a_pack_that_mlflow_would_read_differently_is_refused_before_anything_is_made(
    engine, client, cortex, system, found
):
    tasks = cortex.to_json()["tasks"]
    changed = tasks["plan_task"] | {"system": system}
    with pytest.raises(ConfigInvalid, match=found):
        registered(engine, cortex, tasks=tasks | {"plan_task": changed})
    example = tasks["plan_task"]["examples"][0]
    quoting = changed | {
        "system": "Be brief.",
        "examples": [example | {"variables": {"goal": "say {{goal}}"}}],
    }
    with pytest.raises(ConfigInvalid, match="MLflow would fill"):
        registered(engine, cortex, tasks=tasks | {"plan_task": quoting})
    assert not client.search_registered_models("name = 'cortex'")
    assert not client.search_prompts()


def test_a_name_that_somebody_else_uses_is_left_alone(engine, client, cortex):
    client.register_prompt(PLAN, "Mine: {{goal}}")
    with pytest.raises(ConfigInvalid, match="taken"):
        registered(engine, cortex)
    assert load(client, f"prompts:/{PLAN}/1").template == "Mine: {{goal}}"
    assert {one.name for one in client.search_prompts()} == {PLAN}  # none of the pack's, or all of them


def test_the_tags_are_those_that_mlflow_reads():
    assert set(PROMPT_TAGS) == {
        constants.IS_PROMPT_TAG_KEY,
        constants.PROMPT_MODEL_CONFIG_TAG_KEY,
        constants.PROMPT_TEXT_TAG_KEY,
        constants.PROMPT_TYPE_TAG_KEY,
        constants.RESPONSE_FORMAT_TAG_KEY,
    }


def test_packs_are_shown_and_linked_by_the_command_line(engine, cortex, cortex_file):
    registered(engine, cortex)
    home = str(engine.workbench.settings.home)

    def typed(*words):
        return CliRunner().invoke(main, ["--home", home, *words])

    shown = typed("prompts", "show", "cortex").output
    assert shown.startswith("cortex v1, CANDIDATE: Cortex, the research assistant")
    assert "plan_task (goal; 1 examples)  prompts:/cortex.plan_task/1" in shown
    assert "  user    Goal: {{goal}}" in shown
    assert "prompts:/" not in typed("prompts", "show", str(cortex_file)).output
    assert typed("prompts", "link", "cortex", "1").output.count("prompts:/cortex.") == 3
    for words, found in (
        (("show", "cortex", "--version", "9"), "versions registered here: 1"),
        (("show", "nobody"), "versions registered here: none"),
        (("link", "cortex", "9"), "versions registered here: 1"),
    ):
        wrong = typed("prompts", *words)
        assert wrong.exit_code == 1
        assert found in wrong.output
    # nobody names a pack: the one of its type is looked for, and there is none of its kind
    judged = typed("evaluate", "cortex", "1").output
    assert "load the question pack 'prompt_eval_v1'" in judged
    assert "question packs there: none" in judged
