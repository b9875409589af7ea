"""What MLflow's own buttons do on a governed server: refusals are shown in full, copies are candidates."""

from __future__ import annotations

import re

import pytest
from mlflow import MlflowClient  # noqa: TID253  this test is about its pages

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::FutureWarning")]

DENIED = re.compile("E_LEARN_ROLLOUT_DENIED")


@pytest.fixture(scope="module")
def governed(tmp_path_factory, serving):
    """A server with one candidate of ``signal``, and a model ``live`` that has no version yet."""
    from ordinis_learn.settings import load_settings
    from ordinis_mlflow._store import OrdinisSqlAlchemyStore

    home = tmp_path_factory.mktemp("governed")
    database = f"sqlite:///{home / 'ordinis.db'}"
    (home / "model").mkdir()
    (home / "model" / "MLmodel").write_text("flavors: {}\n")
    store = OrdinisSqlAlchemyStore(database, settings=load_settings(home=home))
    store.create_registered_model("signal")
    store.create_model_version("signal", str(home / "model"))
    store.create_registered_model("live")
    store.engine.dispose()
    with serving(home, database) as url:
        yield url


@pytest.fixture
def client(governed):
    return MlflowClient(governed, governed)


@pytest.fixture
def version_page(governed, page):
    """The candidate's page, as it is when nobody has changed how the registry is shown."""
    page.goto("about:blank")
    page.goto(f"{governed}/#/models/signal/versions/1")
    page.evaluate("localStorage.clear()")
    page.reload()
    page.get_by_role("button", name="Promote model").wait_for()
    return page


def test_an_alias_that_follows_the_state_is_refused_in_the_dialog(version_page, client):
    version_page.get_by_role("button", name="Add", exact=True).first.click()
    dialog = version_page.get_by_role("dialog")
    box = dialog.get_by_role("combobox")
    box.click()
    box.fill("Active")
    version_page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Save aliases").click()
    told = dialog.get_by_role("alert").filter(has_text=DENIED)
    told.wait_for()
    assert "it follows the state of the versions" in told.inner_text()
    assert client.get_registered_model("signal").aliases == {}


def test_a_stage_that_is_asked_for_without_evidence_is_refused_with_each_reason(version_page, client):
    version_page.get_by_role("switch", name="New model registry UI").click()
    version_page.get_by_role("button", name="Disable").click()
    version_page.get_by_text("None", exact=True).first.click()
    version_page.get_by_role("menuitem").filter(has_text="Production").first.click()
    version_page.get_by_role("dialog").get_by_role("button", name="OK").click()
    told = version_page.get_by_text(DENIED).first
    told.wait_for()
    said = told.inner_text()
    assert "signal 1, CANDIDATE to ACTIVE" in said
    assert "no signed training record" in said
    assert client.get_model_version("signal", "1").current_stage == "None"


def test_promote_model_makes_a_candidate_of_the_other_model(version_page, client, governed):
    version_page.get_by_role("button", name="Promote model").click()
    dialog = version_page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    version_page.get_by_text("live", exact=True).last.click()
    dialog.get_by_role("button", name="Promote", exact=True).click()
    version_page.wait_for_url(f"{governed}/#/models/live/versions/1")
    copy = client.get_model_version("live", "1")
    assert (copy.current_stage, copy.tags["ordinis.state"]) == ("None", "CANDIDATE")
    assert client.get_registered_model("live").aliases == {}
