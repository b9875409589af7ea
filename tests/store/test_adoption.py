"""Which policy decides: what a setting names, what was adopted, what decided here first, and only then the default."""

from datetime import timedelta

import pytest
from click.testing import CliRunner

from ordinis_learn.cli import main
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import Actor
from ordinis_learn.rollout import load_policy
from ordinis_learn.settings import load_settings
from ordinis_registry.adoption import SqlPolicyBook, adopt_policy, choose_policy

RISK = Actor(name="model-risk", kind="claimed")


def decided_by(desk):
    """The policy of the newest decision about a model."""
    records = [record for record in desk.ledger.history("sp500_signal") if "decision" in record.body]
    return records[-1].body["decision"]["policy_id"]


def reopen(desk, **settings):
    """Let the store start again over the same database, with these settings."""
    from ordinis_mlflow._store import store_class

    desk.store.engine.dispose()
    desk.settings = load_settings(home=desk.home, **settings)
    desk.store = store_class()(desk.url, settings=desk.settings, clock=desk.clock)


def adopt(desk, policy_id, reason="tests that hold their level"):
    policy = load_policy(policy_id, settings=desk.settings)
    with desk.database.session() as session:
        return adopt_policy(session, policy, actor=RISK, at=desk.clock(), reason=reason)


def choice(desk, setting=None):
    with desk.database.reading() as session:
        found = choose_policy(session, setting=setting)
    return found.policy_id, found.why


def test_a_registry_keeps_the_policy_that_decided_until_another_is_adopted(any_desk):
    desk = any_desk
    assert choice(desk) == ("gov_v3", "default")
    reopen(desk, gov_policy_version="gov_v1")
    first = desk.register()
    desk.attest(first)
    desk.move(first, "shadow")
    assert decided_by(desk) == "gov_v1"

    reopen(desk)
    desk.approve(first)
    desk.move(first, "active")
    assert decided_by(desk) == "gov_v1"
    assert choice(desk) == ("gov_v1", "decided first here")

    record = adopt(desk, "gov_v3")
    assert (record.action, record.body["before"], record.actor) == ("policy.adopted", "gov_v1", RISK)
    assert choice(desk) == ("gov_v3", "adopted")
    assert choice(desk, "gov_v1") == ("gov_v1", "set")
    reopen(desk)
    desk.promote(desk.register())
    assert decided_by(desk) == "gov_v3"
    assert desk.ledger.verify() == []
    assert {one.outcome for one in desk.ledger.replay()} == {"identical"}


def test_a_process_with_a_setting_of_its_own_changes_nothing_for_those_after_it(any_desk):
    """Neither what decided last nor the earliest clock counts, but the order of the ledger."""
    desk = any_desk
    version = desk.register()
    desk.attest(version)
    desk.approve(version)
    desk.clock.now += timedelta(minutes=2)
    desk.move(version, "shadow")
    first = decided_by(desk)
    assert choice(desk) == (first, "decided first here")
    reopen(desk, gov_policy_version="gov_v1")
    desk.clock.now -= timedelta(minutes=1)
    desk.move(version, "active")
    assert decided_by(desk) == "gov_v1" != first
    assert choice(desk) == (first, "decided first here")

    reopen(desk)
    desk.clock.now += timedelta(minutes=2)
    desk.promote(desk.register())
    assert decided_by(desk) == first
    adopt(desk, "gov_v1")
    assert choice(desk) == ("gov_v1", "adopted")


def test_what_is_adopted_is_named_once_and_with_a_reason(desk):
    with pytest.raises(ConfigInvalid, match="no reason"):
        adopt(desk, "gov_v2", reason=" ")
    adopt(desk, "gov_v1")
    with pytest.raises(ConfigInvalid, match="adopted already"):
        adopt(desk, "gov_v1")
    adopt(desk, "gov_v2")
    adopt(desk, "gov_v1")
    assert choice(desk) == ("gov_v1", "adopted")


def test_a_policy_edited_after_it_decided_is_not_adopted(desk):
    path = desk.home / "policies" / "own_v1.yaml"
    path.parent.mkdir()
    text = f"{load_text('gov_v2')}".replace("policy_id: gov_v2", "policy_id: own_v1")
    path.write_text(text, encoding="utf-8")
    reopen(desk, gov_policy_version="own_v1")
    version = desk.register()
    desk.attest(version)
    desk.move(version, "shadow")
    path.write_text(text.replace("{confidence: 0.95}", "{confidence: 0.9}"), encoding="utf-8")
    with pytest.raises(ConfigInvalid, match="its content is not what decided"):
        adopt(desk, "own_v1")
    assert choice(desk) == (
        "gov_v3",
        "default",
    )  # a policy of the desk's own counts where it is set or adopted


def load_text(policy_id):
    from importlib import resources

    return (resources.files("ordinis_learn.rollout") / "policies" / f"{policy_id}.yaml").read_text()


def test_a_registry_behind_a_server_is_told_there(desk):
    book = SqlPolicyBook(desk.url, exists=True, server="http://registry.desk", clock=desk.clock)
    with pytest.raises(ConfigInvalid, match=r"behind http://registry\.desk"):
        book.adopt(load_policy("gov_v2", settings=desk.settings), actor=RISK, reason="why")


def test_as_typed(tmp_path):
    def typed(*words):
        done = CliRunner().invoke(main, ["--home", str(tmp_path), "policy", *words])
        return done.exit_code, done.output

    assert "gov_v3 decides (default)" in typed("show")[1]
    assert list(tmp_path.iterdir()) == []  # looking makes nothing
    code, said = typed("adopt", "gov_v1", "--reason", "as before")
    assert (code, said) == (0, "gov_v1 decides from now on, before it gov_v3 did; record 1 of *\n")
    assert "gov_v1 decides (adopted)" in typed("show")[1]
    assert typed("adopt", "gov_v1", "--reason", "again")[0] == 1
    assert typed("adopt", "gov_v1")[0] == 2
    assert typed("adopt", "../gov_v1", "--reason", "x")[0] == 1
