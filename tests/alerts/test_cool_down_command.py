"""A cool-down as a desk meets it at the command line: an order that waits, two signatures, and what is free then."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from ordinis_learn.alerts import Sighting
from ordinis_learn.cli import main
from ordinis_learn.records import Actor, ModelType, Role
from ordinis_learn.rollout.cool_down import UNTIL, lifted_by, running
from ordinis_learn.use_cases.alerting import sight
from ordinis_learn.use_cases.respond import carry_out_orders
from ordinis_learn.use_cases.sign import create_identity
from ordinis_learn.use_cases.watch import watch_once
from ordinis_learn.wiring import open_bus
from ordinis_registry.models import ArtifactRow

MODEL = "desk_rule"
HEAD = Actor(name="head", kind="claimed")


def lost_its_edge(bench, version):
    sight(
        bench,
        Sighting(
            kind="drift",
            subject=MODEL,
            version=version,
            metric="sharpe_decline",
            severity="critical",
            summary="lost its edge",
            source=f"w{version}",
            model_type=ModelType.SIGNAL_MODEL,
        ),
    )
    return carry_out_orders(bench)


@pytest.fixture
def learn():
    def run(*words, exit_code=0):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == exit_code, result.output
        return result.output

    return run


@pytest.fixture
def waiting(engine, promoted, monkeypatch):
    """A desk whose third version was rolled back by an order, and whose second has an order that waits."""
    monkeypatch.setenv("LEARN_RESPONSE_POLICY", "response_rollback_v1")
    bench = engine.workbench
    settings = bench.settings.model_copy(update={"learn_response_policy": "response_rollback_v1"})
    bench = type(bench)(**{**bench.__dict__, "settings": settings})
    create_identity(bench, "second-risk", roles=(Role.APPROVER,), actor=HEAD)
    promoted()
    promoted()
    (done,) = lost_its_edge(bench, "3")
    assert done.outcome == "rolled back to v2"
    assert lost_its_edge(bench, "2") == []
    return bench


def test_an_order_waits_and_says_why_until_two_approvers_have_signed(waiting, learn):
    listed = learn("alerts", "list")
    assert "roll_back waits: " in listed
    assert "it was rolled back and is cooling down until" in listed
    (alert,) = [one for one in waiting.alerts.alerts() if one.version == "2"]
    assert "roll_back pending: waits: " in learn("alerts", "show", alert.alert_id)
    words = ("alerts", "lift-cool-down", MODEL, "--reason", "the feed is mended", "--as")
    assert "it counts with the signature of a second approver" in learn(*words, "risk")
    assert carry_out_orders(waiting) == []
    assert "it is lifted, by risk and second-risk" in learn(*words, "second-risk")
    assert "cool_down.lift_signed" in learn("ledger", "history", MODEL)
    (done,) = carry_out_orders(waiting)
    assert done.outcome == "rolled back to v1"
    assert "waits" not in learn("alerts", "list")
    assert waiting.ledger.verify() == []


def test_a_pass_of_the_watch_says_what_waits_and_until_when(waiting):
    report = watch_once(waiting, open_bus=open_bus, daily=False)
    (told,) = [line for line in report.lines if line.startswith("orders: ")]
    (cooling,) = running(waiting.ledger.history(MODEL), now=waiting.clock())
    told = told.removeprefix("orders: ").split("; ")
    assert f"request_retrain of {MODEL} v3 waits: ordinis-learn pipeline --requested" in told
    (waits,) = [one for one in told if one.startswith(f"roll_back of {MODEL} v2 waits: ")]
    assert f"cooling down until {cooling.body[UNTIL][:10]}" in waits


def test_it_is_lifted_for_a_version_that_only_the_registry_knows(waiting, learn):
    """A desk with a catalogue of its own registered and promoted it."""
    with waiting.alerts._database.session() as session:
        session.execute(sa.delete(ArtifactRow))
    assert waiting.catalogue.artifacts(MODEL) == []
    words = ("alerts", "lift-cool-down", MODEL, "--reason", "the feed is mended", "--as")
    learn(*words, "risk")
    assert "it is lifted, by risk and second-risk" in learn(*words, "second-risk")
    assert waiting.ledger.verify() == []


def test_who_signs_later_signs_for_every_rollback_that_still_cools_the_model_down(waiting, learn):
    for name in ("third-risk", "fourth-risk"):
        create_identity(waiting, name, roles=(Role.APPROVER,), actor=HEAD)
    words = ("alerts", "lift-cool-down", MODEL, "--reason", "the feed is mended", "--as")
    learn(*words, "risk")
    learn(*words, "second-risk")
    (done,) = carry_out_orders(waiting)
    assert done.outcome == "rolled back to v1"
    learn(*words, "third-risk")
    assert "it is lifted, by fourth-risk and third-risk" in learn(*words, "fourth-risk")
    history, identities = waiting.ledger.history(MODEL), waiting.identities.identities()
    cooling = running(history, now=waiting.clock())
    assert [one.body["version"] for one in cooling] == ["3", "2"]
    # Without the later two, "risk" could not ask for a promotion: their own signature under the first rollback does not count.
    for rollback in cooling:
        found = lifted_by(history, rollback, identities=identities, now=waiting.clock(), requester="risk")
        assert {"third-risk", "fourth-risk"} <= found
    assert waiting.ledger.verify() == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((MODEL, "--as", "learn-service", "--reason", "x"), "needs approver"),
        ((MODEL, "--as", "nobody", "--reason", "x"), "nobody"),
        ((MODEL, "--as", "risk", "--reason", " "), "no reason"),
        (("no_such_model", "--as", "risk", "--reason", "x"), "it is not cooling down"),
    ],
)
def test_who_may_not_lift_it_or_has_nothing_to_lift_is_told(waiting, learn, words, found):
    assert found in learn("alerts", "lift-cool-down", *words, exit_code=1)
    assert [one.action for one in waiting.ledger.history(MODEL)].count("cool_down.lift_signed") == 0
