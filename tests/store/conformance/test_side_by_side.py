"""The same calls on MLflow's plain SQL store and on the governed one, answer by answer.

MLflow's own tests are not part of what it publishes, so this suite makes the calls and takes the plain store for
the expected answer. Under a policy that governs none, nothing may differ; under ``gov_v1`` only what
``docs/registry.md`` lists.
"""

from __future__ import annotations

import re
import shutil
from importlib import resources
from pathlib import Path

import pytest
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag  # noqa: TID253
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent  # noqa: TID253
from mlflow.exceptions import MlflowException  # noqa: TID253
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore  # noqa: TID253

from ordinis_learn.settings import load_settings

PAGE = Path(__file__).parents[3] / "docs" / "registry.md"
TIMES = {"creation_timestamp", "last_updated_timestamp", "creation_time", "last_updated_time", "timestamp"}


def model_tag(key, value):
    return RegisteredModelTag(key, value)


def version_tag(key, value):
    return ModelVersionTag(key, value)


EVENT = [WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)]

# Name of the step, call. A step whose name docs/registry.md lists may answer otherwise under gov_v1.
STEPS = [
    ("create model", lambda s: s.create_registered_model("alpha", [model_tag("team", "rates")], "first")),
    ("create model again", lambda s: s.create_registered_model("alpha")),
    ("create model without name", lambda s: s.create_registered_model("")),
    ("create model with a bad name", lambda s: s.create_registered_model("a/b")),
    ("create more models", lambda s: [s.create_registered_model(f"model_{i:02d}") for i in range(12)]),
    ("get model", lambda s: s.get_registered_model("alpha")),
    ("get model that is not there", lambda s: s.get_registered_model("nobody")),
    ("update model", lambda s: s.update_registered_model("alpha", "second")),
    ("update model that is not there", lambda s: s.update_registered_model("nobody", "x")),
    ("search models", lambda s: s.search_registered_models()),
    ("search models by name", lambda s: s.search_registered_models("name LIKE 'model_0%'")),
    ("search models in any case", lambda s: s.search_registered_models("name ILIKE 'MODEL_0%'")),
    ("search models by tag", lambda s: s.search_registered_models("tags.team = 'rates'")),
    ("search models, bad filter", lambda s: s.search_registered_models("nonsense = 'x'")),
    ("search models, bad page size", lambda s: s.search_registered_models(max_results=10**9)),
    ("search models in order", lambda s: s.search_registered_models(order_by=["name DESC"])),
    ("search models, bad order", lambda s: s.search_registered_models(order_by=["nonsense"])),
    ("page through models", lambda s: pages(s.search_registered_models)),
    ("set model tag", lambda s: s.set_registered_model_tag("alpha", model_tag("desk", "ldn"))),
    ("set model tag on nobody", lambda s: s.set_registered_model_tag("nobody", model_tag("a", "b"))),
    ("set model tag without key", lambda s: s.set_registered_model_tag("alpha", model_tag(None, "b"))),
    ("delete model tag", lambda s: s.delete_registered_model_tag("alpha", "desk")),
    ("delete model tag again", lambda s: s.delete_registered_model_tag("alpha", "desk")),
    (
        "create version",
        lambda s: s.create_model_version("alpha", "/a/1", "run", [version_tag("k", "v")], "link", "words"),
    ),
    ("create more versions", lambda s: [s.create_model_version("alpha", f"/a/{i}") for i in range(2, 8)]),
    ("create version of nobody", lambda s: s.create_model_version("nobody", "/a/1")),
    ("create version of no logged model", lambda s: s.create_model_version("alpha", "models:/m-none")),
    ("get version", lambda s: s.get_model_version("alpha", "1")),
    ("get version that is not there", lambda s: s.get_model_version("alpha", "99")),
    ("get version that is no number", lambda s: s.get_model_version("alpha", "one")),
    ("get address", lambda s: s.get_model_version_download_uri("alpha", "1")),
    ("get address of nobody", lambda s: s.get_model_version_download_uri("nobody", "1")),
    ("update version", lambda s: s.update_model_version("alpha", "1", "new words")),
    ("set version tag", lambda s: s.set_model_version_tag("alpha", "1", version_tag("k2", "v2"))),
    ("set version tag on nobody", lambda s: s.set_model_version_tag("alpha", "99", version_tag("k", "v"))),
    ("delete version tag", lambda s: s.delete_model_version_tag("alpha", "1", "k2")),
    ("search versions", lambda s: s.search_model_versions("name = 'alpha'")),
    ("search versions by run", lambda s: s.search_model_versions("run_id = 'run'")),
    ("search versions by tag", lambda s: s.search_model_versions("tags.k = 'v'")),
    ("search versions, bad filter", lambda s: s.search_model_versions("stage = 'x'")),
    ("search versions in order", lambda s: s.search_model_versions(order_by=["version_number ASC"])),
    ("page through versions", lambda s: pages(s.search_model_versions)),
    ("set alias", lambda s: s.set_registered_model_alias("alpha", "champion", "1")),
    ("move alias", lambda s: s.set_registered_model_alias("alpha", "champion", "2")),
    ("set alias to no version", lambda s: s.set_registered_model_alias("alpha", "champion", "99")),
    ("set alias without name", lambda s: s.set_registered_model_alias("alpha", None, "1")),
    ("set bad alias", lambda s: s.set_registered_model_alias("alpha", "v1", "1")),
    ("get by alias", lambda s: s.get_model_version_by_alias("alpha", "champion")),
    ("get by no alias", lambda s: s.get_model_version_by_alias("alpha", "nobody")),
    ("delete alias", lambda s: s.delete_registered_model_alias("alpha", "champion")),
    ("delete alias again", lambda s: s.delete_registered_model_alias("alpha", "champion")),
    ("latest versions", lambda s: s.get_latest_versions("alpha")),
    ("latest versions in stages", lambda s: s.get_latest_versions("alpha", ["None", "Production"])),
    ("latest versions in a bad stage", lambda s: s.get_latest_versions("alpha", ["nonsense"])),
    ("copy version", lambda s: s.copy_model_version(s.get_model_version("alpha", "1"), "copied")),
    ("rename model without versions", lambda s: s.rename_registered_model("model_00", "renamed")),
    ("rename to a name that is taken", lambda s: s.rename_registered_model("model_01", "model_02")),
    ("rename nobody", lambda s: s.rename_registered_model("nobody", "x")),
    ("delete model", lambda s: s.delete_registered_model("model_03")),
    ("delete nobody", lambda s: s.delete_registered_model("nobody")),
    ("delete version", lambda s: s.delete_model_version("alpha", "7")),
    ("delete version again", lambda s: s.delete_model_version("alpha", "7")),
    ("get deleted version", lambda s: s.get_model_version("alpha", "7")),
    ("create prompt", lambda s: s.create_prompt("greeting", "a prompt", {"team": "rates"})),
    ("create prompt version", lambda s: s.create_prompt_version("greeting", "Say {{what}}", "v1")),
    ("get prompt", lambda s: s.get_prompt("greeting")),
    ("search prompts", lambda s: s.search_prompts()),
    ("set prompt alias", lambda s: s.set_prompt_alias("greeting", "draft", "1")),
    ("get prompt by alias", lambda s: s.get_prompt_version_by_alias("greeting", "draft")),
    ("models are no prompts", lambda s: s.search_registered_models("name = 'greeting'")),
    ("create webhook", lambda s: s.create_webhook("hook", "https://example.com/x", EVENT)),
    ("create bad webhook", lambda s: s.create_webhook("hook", "ftp://example.com", EVENT)),
    ("list webhooks", lambda s: s.list_webhooks()),
    ("transition", lambda s: s.transition_model_version_stage("alpha", "1", "Production", False)),
    ("transition in any case", lambda s: s.transition_model_version_stage("alpha", "2", "staging", False)),
    ("transition and replace", lambda s: s.transition_model_version_stage("alpha", "3", "Production", True)),
    ("transition to a bad stage", lambda s: s.transition_model_version_stage("alpha", "1", "x", False)),
    ("transition of nobody", lambda s: s.transition_model_version_stage("nobody", "1", "Staging", False)),
    ("archive and replace", lambda s: s.transition_model_version_stage("alpha", "4", "Archived", True)),
    ("latest versions after transitions", lambda s: s.get_latest_versions("alpha")),
    ("set alias active", lambda s: s.set_registered_model_alias("alpha", "active", "3")),
    ("delete alias active", lambda s: s.delete_registered_model_alias("alpha", "active")),
    ("set tag ordinis", lambda s: s.set_model_version_tag("alpha", "1", version_tag("ordinis.x", "y"))),
    ("delete tag ordinis", lambda s: s.delete_model_version_tag("alpha", "1", "ordinis.x")),
    ("set model tag ordinis", lambda s: s.set_registered_model_tag("alpha", model_tag("ordinis.x", "y"))),
    ("rename model with versions", lambda s: s.rename_registered_model("alpha", "omega")),
    ("delete model under its new name", lambda s: s.delete_registered_model("omega")),
]


def pages(search):
    """Follow the page tokens to the end; return the names and the sizes of the pages."""
    found, sizes, token = [], [], None
    while token is not None or not sizes:
        page = search(max_results=5, page_token=token)
        found += [(one.name, getattr(one, "version", None)) for one in page]
        sizes.append(len(page))
        token = page.token
    return found, sizes


def answer(call, store, *, without):
    """Return what a call answers as plain values, a refusal by its code and words."""
    try:
        return plain_values(call(store), without=without)
    except MlflowException as error:
        return error.error_code, re.sub(r"Error: .*", "", str(error.message), flags=re.DOTALL)


def plain_values(value, *, without):
    if isinstance(value, (list, tuple)):
        return [plain_values(one, without=without) for one in value]
    if isinstance(value, dict):
        return {k: plain_values(v, without=without) for k, v in value.items() if not without(k)}
    if hasattr(value, "__dict__") and type(value).__module__.startswith("mlflow"):
        kept = {k.lstrip("_"): v for k, v in vars(value).items()}
        return {
            key: plain_values(one, without=without)
            for key, one in kept.items()
            if key not in TIMES and key != "webhook_id"
        }
    return value


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What MLflow's own store answers; tags are compared by the tests as they need."""
    store = SqlAlchemyStore(f"sqlite:///{tmp_path_factory.mktemp('plain') / 'plain.db'}")
    yield {name: answer(call, store, without=lambda _: False) for name, call in STEPS}
    store.engine.dispose()


@pytest.fixture
def differences(tmp_path, empty_database, expected):
    """Make every call on a governed store; return the steps that answered differently, with both answers."""

    def compared(policy, *, without):
        from ordinis_mlflow._store import OrdinisSqlAlchemyStore

        path = shutil.copyfile(empty_database, tmp_path / "governed.db")
        store = OrdinisSqlAlchemyStore(
            f"sqlite:///{path}", settings=load_settings(home=tmp_path), policy_id=policy
        )
        got = {name: answer(call, store, without=without) for name, call in STEPS}
        store.engine.dispose()
        return {name: (expected[name], got[name]) for name in expected if expected[name] != got[name]}

    return compared


def listed_exceptions():
    """Read the table of documented exceptions."""
    page = PAGE.read_text(encoding="utf-8")
    section = page.split("## What answers otherwise than MLflow's own store")[1].split("\n## ")[0]
    _, rows = section.split("|---|---|")
    return dict(re.findall(r"^\| (.+?) \| (.+?) \|$", rows, flags=re.MULTILINE))


def test_under_a_policy_that_governs_none_nothing_differs(tmp_path, differences):
    text = (resources.files("ordinis_learn.rollout") / "policies" / "gov_v1.yaml").read_text()
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "nobody_v1.yaml").write_text(
        text.replace("policy_id: gov_v1", "policy_id: nobody_v1").replace('names: ["*"]', 'names: ["-"]')
    )
    assert differences("nobody_v1", without=lambda _: False) == {}


def test_under_the_default_policy_only_what_is_documented_differs(differences):
    found = differences("gov_v1", without=lambda key: str(key).startswith("ordinis."))
    listed = listed_exceptions()
    assert set(found) == set(listed), {name: found[name] for name in set(found) - set(listed)}
    assert all(len(reason) > 20 for reason in listed.values())


def test_every_step_has_a_name_of_its_own():
    names = [name for name, _ in STEPS]
    assert len(set(names)) == len(names)
