"""What a stock MLflow client registered and promoted is watched over like everything else, or an alert says why not."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient  # noqa: TID253  the stock client

from ordinis_learn.cli import main
from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.records import Approval, ModelRef, State
from ordinis_learn.rollout import TRAINING_TAG, approval_tag, sign
from ordinis_learn.use_cases.adopt import adopt
from ordinis_learn.use_cases.alert_check import see_dead_man, see_flat_models, see_unknown_models
from ordinis_learn.use_cases.drift_daily import run_daily_drift, watched_versions
from ordinis_learn.use_cases.drill import drill

NAME = "stock_rule"


@pytest.fixture
def client(home):
    uri = f"sqlite:///{home / 'registry_db' / 'ordinis.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=f"ordinis+{uri}")


@pytest.fixture
def promoted_elsewhere(bench, client):
    """Register the desk's bytes once more under another name, as a script of somebody's would, and promote them."""
    known = bench.catalogue.artifacts("desk_rule")[0]

    def attest(version):
        """Attach what another desk's trainer and approver signed."""
        subject = ModelRef(name=NAME, version=version, artifact_sha256=known.artifact_sha256)
        said = known.model_copy(
            update={"artifact_id": f"ART-stock-{version}", "name": NAME, "version": version}
        )
        training = sign(
            "training", subject=subject, predicate=said, signer=bench.keys.signer("learn-service")
        )
        client.set_model_version_tag(NAME, version, TRAINING_TAG, training)
        client.set_model_version_tag(NAME, version, "ordinis.request.evidence_hash", "now")
        now = datetime.now(UTC)
        approval = Approval(
            subject=subject,
            target=State.ACTIVE,
            answer="approve",
            evidence_hash=client.get_model_version(NAME, version).tags["ordinis.gate.evidence_hash"],
            approver="risk",
            given_at=now,
            expires_at=now + timedelta(days=14),
        )
        approved = sign("approval", subject=subject, predicate=approval, signer=bench.keys.signer("risk"))
        client.set_model_version_tag(NAME, version, approval_tag("risk"), approved)

    def promote(*, until=State.ACTIVE):
        if not client.search_registered_models(f"name = '{NAME}'"):
            client.create_registered_model(NAME)
        source = client.get_model_version("desk_rule", "1").source
        made = client.create_model_version(NAME, source, await_creation_for=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            attest(str(made.version))
            client.transition_model_version_stage(NAME, made.version, "shadow")
            if until is State.ACTIVE:
                client.transition_model_version_stage(NAME, made.version, "active")
        return str(made.version)

    return promote


def kinds(bench, name=NAME):
    return [(alert.kind, alert.version, alert.severity) for alert in bench.alerts.alerts(name)]


def test_an_active_version_that_nobody_can_check_is_an_alert_that_says_what_to_type(
    bench, clock, promoted_elsewhere
):
    version = promoted_elsewhere()
    assert see_unknown_models(bench) == [f"{NAME} v1"]
    assert see_unknown_models(bench) == [f"{NAME} v1"]
    (alert,) = bench.alerts.alerts(NAME)
    assert (alert.kind, alert.version, alert.severity, alert.repeats) == (
        "check_failed",
        version,
        "critical",
        1,
    )
    assert f"ordinis-learn models adopt {NAME} 1" in alert.summary
    clock.advance(days=1)
    see_unknown_models(bench)
    assert bench.alerts.alerts(NAME)[0].repeats == 2
    bench.registry.transition(NAME, version, State.RETIRED)
    assert see_unknown_models(bench) == []
    assert see_flat_models(bench) == [NAME]
    assert kinds(bench) == [("flat", "", "critical")]


def test_one_in_shadow_is_an_alert_too_and_a_worse_one_once_it_is_active(bench, promoted_elsewhere, home):
    version = promoted_elsewhere(until=State.SHADOW)
    assert see_unknown_models(bench) == [f"{NAME} v1"]
    assert kinds(bench) == [("check_failed", version, "warning")]
    listed = CliRunner().invoke(main, ["--home", str(home), "alerts", "list"]).output
    assert f"{NAME} v1 is SHADOW and nobody scores it or checks its drift" in listed
    assert f"next: ordinis-learn models adopt {NAME} 1" in listed
    bench.registry.transition(NAME, version, State.ACTIVE)
    see_unknown_models(bench)
    assert kinds(bench) == [("check_failed", version, "critical")]
    promoted_elsewhere(until=State.SHADOW)
    adopt(bench, NAME, version)
    assert see_unknown_models(bench) == [f"{NAME} v2"]
    assert kinds(bench) == [("check_failed", "2", "warning")]
    bench.registry.transition(NAME, "2", State.RETIRED)
    assert see_unknown_models(bench) == []
    assert kinds(bench) == []


def test_a_check_of_it_by_name_says_how_to_make_it_known(bench, promoted_elsewhere):
    promoted_elsewhere()
    with pytest.raises(ArtifactMissing, match=f"ordinis-learn models adopt {NAME} 1"):
        run_daily_drift(bench, name=NAME)


def test_switch_and_drill_see_it(bench, promoted_elsewhere):
    promoted_elsewhere()
    assert see_dead_man(bench) == f"no drift check has ever come to its end, and desk_rule, {NAME} is active"
    promoted_elsewhere()
    done = {one.model: one for one in drill(bench)}
    assert (done[NAME].from_version, done[NAME].to_version) == ("2", "1")


@pytest.mark.slow
def test_adopted_by_its_training_statement_it_is_checked(bench, clock, captured, promoted_elsewhere, home):
    version = promoted_elsewhere()
    clock.to(captured)
    see_unknown_models(bench)
    assert [one.name for one in watched_versions(bench)] == ["desk_rule"]
    listed = CliRunner().invoke(main, ["--home", str(home), "models"])
    assert f"{NAME} v1  ACTIVE     not in the catalogue" in listed.output
    for _ in range(2):
        adopted = CliRunner().invoke(main, ["--home", str(home), "models", "adopt", NAME, version])
        assert adopted.exit_code == 0, adopted.output
    assert [one.name for one in watched_versions(bench)] == ["desk_rule", NAME]
    assert {(one.model, one.outcome) for one in run_daily_drift(bench)} == {
        ("desk_rule", "checked"),
        (NAME, "checked"),
    }
    assert see_unknown_models(bench) == []
    assert kinds(bench) == []


def test_what_nobody_signed_for_is_not_adopted(bench, client):
    client.create_registered_model(NAME)
    client.create_model_version(NAME, client.get_model_version("desk_rule", "1").source, await_creation_for=0)
    with pytest.raises(ArtifactMissing, match="no training statement"):
        adopt(bench, NAME, "1")
    assert bench.catalogue.artifacts(NAME) == []
