"""Metrics from ledger, catalogue, outbox and checkpoints: right, incremental, and never falling."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordinis_learn.alerts.schedule import Schedule
from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.observability import FAMILIES, Scraper
from ordinis_learn.records import Actor, Heartbeat
from ordinis_registry import GovernanceDatabase, Pointers, SqlAlertBook, SqlCatalogue, ledger
from ordinis_registry.catalogue_metrics import CatalogueSource, OutboxSource
from ordinis_registry.checkpoint_targets import FileTarget
from ordinis_registry.ledger_metrics import CheckpointSource, LedgerSource
from ordinis_registry.models import DatasetRow
from ordinis_registry.schedule_metrics import ScheduleSource

NOW = datetime(2024, 1, 2, tzinfo=UTC)
ACTOR = Actor(name="ana", kind="claimed")
MODEL = "sp500_signal"


SERVER = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        with closing(GovernanceDatabase(f"sqlite:///{tmp_path}/ordinis.db")) as opened:
            opened.upgrade()
            yield opened
        return
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    try:
        admin = psycopg.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {str(error).splitlines()[0]}")
    name = f"ordinis_observe_{os.getpid()}_{time.time_ns()}"
    admin.execute(f"CREATE DATABASE {name}")
    with closing(GovernanceDatabase(f"{SERVER.rsplit('/', 1)[0]}/{name}")) as opened:
        opened.upgrade()
        yield opened
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def scraped(*sources):
    found = Scraper(sources, timer=lambda: 0.0).scrape()
    assert not any(found["learn_scrape_error"].values())
    return {
        (name, *labels): value
        for name, series in found.items()
        for labels, value in series.items()
        if not name.startswith("learn_scrape")
    }


def fallen(before, now):
    """Counters that are lower than they were, or gone."""
    return [
        key
        for key, value in before.items()
        if FAMILIES[key[0]].kind == "counter" and now.get(key, -1.0) < value
    ]


class Chain:
    """One model's history, written as the store writes it."""

    def __init__(self, database, name=MODEL):
        self.database = database
        self.name = name
        self.pointers = Pointers()
        self.versions = 0

    def append(self, action, pointers=None, **body):
        if pointers is not None:
            self.pointers = pointers
            body["pointers"] = pointers.to_json()
        at = NOW + timedelta(hours=self.versions)
        with self.database.session() as session:
            ledger.append(session, subject=self.name, action=action, actor=ACTOR, at=at, body=body)

    def register(self):
        self.versions += 1
        self.append("version.registered", version=str(self.versions))
        return str(self.versions)

    def allow(self, version, state):
        after = {
            "SHADOW": self.pointers.shadowed,
            "ACTIVE": self.pointers.promoted,
            "RETIRED": self.pointers.retired,
        }[state](version)
        self.append("rollout.allowed", after, decision=self.decision(version, state))

    def deny(self, version):
        decision = self.decision(version, "ACTIVE") | {"code": "E_LEARN_GATE_FAILED"}
        self.append("rollout.denied", decision=decision)

    def roll_back(self):
        to = self.pointers.last_known_good
        self.append("rolled_back", self.pointers.rolled_back(to=to), to=to)

    def delete(self, version):
        self.append("version.deleted", self.pointers.forgotten(version), version=version)

    @staticmethod
    def decision(version, state):
        return {
            "to_state": state,
            "code": "",
            "policy_hash": "0" * 64,
            "subject": {"version": version},
        }


def test_a_life_of_a_model(database):
    chain = Chain(database)
    source = LedgerSource(database)
    for _ in range(3):
        chain.register()
    chain.allow("1", "SHADOW")
    chain.allow("1", "ACTIVE")
    chain.deny("2")
    chain.allow("2", "SHADOW")
    chain.allow("2", "ACTIVE")
    chain.roll_back()
    found = scraped(source)
    entered = {
        key[2]: value
        for key, value in found.items()
        if key[0] == "learn_model_state_total" and key[1] == "unknown"
    }
    assert entered == {"CANDIDATE": 3, "SHADOW": 2, "ACTIVE": 3, "RETIRED": 2}
    there = {
        key[2]: value
        for key, value in found.items()
        if key[0] == "learn_model_versions" and key[1] == "unknown"
    }
    assert there == {"CANDIDATE": 1, "ACTIVE": 1, "RETIRED": 1}
    assert found["learn_rollback_total", "unknown", "swapped"] == 1
    assert found["learn_gate_refusal_total", "unknown", "E_LEARN_GATE_FAILED"] == 1
    assert found["learn_model_flat", MODEL] == 0
    chain.roll_back()
    flat = scraped(source)
    assert flat["learn_model_flat", MODEL] == 1
    assert ("learn_model_active_since_timestamp_seconds", MODEL) not in flat
    assert flat["learn_rollback_total", "unknown", "flat"] == 1
    assert flat["learn_ledger_records_total",] == found["learn_ledger_records_total",] + 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["register", "SHADOW", "ACTIVE", "RETIRED", "deny", "roll_back", "delete"]),
        st.sampled_from("ab"),
        st.integers(1, 4),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_counters_never_fall_and_following_says_what_reading_anew_says(steps):
    with TemporaryDirectory() as folder:
        database = GovernanceDatabase(f"sqlite:///{folder}/ordinis.db")
        database.upgrade()
        chains = {name: Chain(database, name) for name in "ab"}
        following = LedgerSource(database)
        before = scraped(following)
        for step, name, number in steps:
            chain = chains[name]
            version = str(min(number, chain.versions))
            if step == "register":
                chain.register()
            elif chain.versions and step in {"SHADOW", "ACTIVE", "RETIRED"}:
                chain.allow(version, step)
            elif chain.versions and step == "delete" and version != chain.pointers.active:
                chain.delete(version)
            elif step == "deny":
                chain.deny(version)
            elif step == "roll_back" and chain.pointers.active:
                chain.roll_back()
            now = scraped(following)
            assert fallen(before, now) == []
            before = now
        assert scraped(LedgerSource(database)) == before
        database.close()


def test_what_the_gate_let_pass_counts_by_the_packs_of_its_policy(database):
    from ordinis_learn.rollout.policy import load_policy
    from ordinis_learn.settings import load_settings
    from ordinis_registry.policies import keep_policy

    policy = load_policy("gov_v1", settings=load_settings(learn_eval_packs=("pack_a", "pack_b")))
    with database.session() as session:
        keep_policy(session, policy.to_json(), policy_id="gov_v1", policy_hash=policy.policy_hash, at=NOW)
    chain = Chain(database)
    chain.decision = lambda version, state: (
        Chain.decision(version, state) | {"policy_hash": policy.policy_hash}
    )
    chain.allow(chain.register(), "SHADOW")
    chain.allow("1", "RETIRED")
    found = scraped(LedgerSource(database))
    passed = {key[2]: value for key, value in found.items() if key[0] == "learn_gate_pass_total"}
    assert passed == {"pack_a": 1, "pack_b": 1}


def test_outbox_and_failures(database):
    now = NOW
    catalogue = SqlCatalogue(database, clock=lambda: now)
    found = scraped(OutboxSource(database), CatalogueSource(database))
    assert found["learn_outbox_pending",] == 0
    assert ("learn_outbox_oldest_timestamp_seconds",) not in found
    assert found["learn_train_total", "signal_model", "failed"] == 0
    catalogue.add_failure("train", label="signal_model", subject="m", code="E_LEARN_TRAIN_FAILED", found="x")
    catalogue.add_failure("evaluate", label="pack_a", subject="a", code="E_LEARN_EVAL_FAILED", found="x")
    found = scraped(CatalogueSource(database))
    assert found["learn_train_total", "signal_model", "failed"] == 1
    assert found["learn_eval_total", "pack_a", "failed"] == 1
    assert found["learn_eval_total", "pack_a", "succeeded"] == 0


def test_the_next_check_is_due_after_the_last_one_by_the_calendar(database):
    """Registered on Tuesday the 2nd, in shadow an hour later, checked on Friday, and not over the weekend."""
    now = NOW

    def due():
        schedule = Schedule(calendar="XNYS", delay=timedelta(minutes=30))
        found = scraped(ScheduleSource(database, schedule=schedule, clock=lambda: now))
        return [datetime.fromtimestamp(value, tz=UTC) for value in found.values()]

    def beat(moment):
        SqlAlertBook(database, clock=lambda: now).beat(Heartbeat(job="drift", at=moment, ok_at=None))

    chain = Chain(database)
    assert due() == []
    version = chain.register()
    assert due() == []
    chain.allow(version, "SHADOW")
    first = datetime(2024, 1, 2, 21, 30, tzinfo=UTC)
    for days in (0, 1, 6):
        now = NOW + timedelta(days=days)
        assert due() == [first]
    beat(datetime(2024, 1, 5, 21, 35, tzinfo=UTC))
    for days in (4, 5, 9):
        now = NOW + timedelta(days=days)
        assert due() == [datetime(2024, 1, 8, 21, 30, tzinfo=UTC)]
    now = NOW + timedelta(days=4)
    beat(NOW + timedelta(days=365))
    assert due() == [first]


def test_without_a_calendar_the_source_says_that_it_cannot_be_read(database):
    Chain(database).allow("1", "ACTIVE")
    source = ScheduleSource(
        database, schedule=Schedule(calendar="NOWHERE", delay=timedelta()), clock=lambda: NOW
    )
    assert Scraper([source], timer=lambda: 0.0).scrape()["learn_scrape_error"] == {("schedule",): 1.0}


def test_a_dataset_whose_writer_commits_late_is_counted_too(database):
    def row(position, *, success):
        manifest = {"validation": {"success": success}, "event_range": {"log_position": position * 10}}
        return DatasetRow(
            position=position,
            dataset_id="core",
            version=str(position),
            content_sha256="0" * 64,
            created_at=NOW,
            record=json.dumps(manifest),
        )

    source = CatalogueSource(database)
    with database.session() as session:
        session.add(row(2, success=True))
    assert scraped(source)["learn_datasets_total", "accepted"] == 1
    with database.session() as session:
        session.add(row(1, success=False))
    found = scraped(source)
    assert (found["learn_datasets_total", "accepted"], found["learn_datasets_total", "rejected"]) == (1, 1)
    assert found["learn_dataset_log_position",] == 20


@pytest.mark.parametrize("garbled", ["[]", "7", "{", '{"validation": 1}'])
def test_a_garbled_record_silences_its_source_and_no_other(database, garbled):
    with database.session() as session:
        session.add(
            DatasetRow(
                dataset_id="core", version="1", content_sha256="0" * 64, created_at=NOW, record=garbled
            )
        )
    found = Scraper([CatalogueSource(database), OutboxSource(database)], timer=lambda: 0.0).scrape()
    assert found["learn_scrape_error"] == {("catalogue",): 1.0, ("outbox",): 0.0}
    assert found["learn_outbox_pending"] == {(): 0.0}


def test_checkpoints(tmp_path):
    source = CheckpointSource(FileTarget(tmp_path / "checkpoints.jsonl"))
    assert scraped(source) == {("learn_ledger_checkpoint_records",): 0}
    lines = [json.dumps({"size": size, "at": "2024-01-02T00:00:00Z"}) for size in (3, 9)]
    (tmp_path / "checkpoints.jsonl").write_text("\n".join(lines) + "\n")
    assert scraped(source) == {
        ("learn_ledger_checkpoint_records",): 9,
        ("learn_ledger_checkpoint_timestamp_seconds",): NOW.timestamp(),
    }


def test_a_garbled_record_is_an_error_and_not_a_number(database):
    chain = Chain(database)
    chain.register()
    with database.session() as session:
        ledger.append(
            session, subject=MODEL, action="rollout.allowed", actor=ACTOR, at=NOW, body={"decision": {}}
        )
    found = Scraper([LedgerSource(database)], timer=lambda: 0.0).scrape()
    assert found["learn_scrape_error"] == {("ledger",): 1.0}
    assert "learn_model_state_total" not in found


def test_a_database_that_is_gone_is_an_error(tmp_path):
    database = GovernanceDatabase(f"sqlite:///{tmp_path}/new.db")
    with pytest.raises(StoreUnavailable):
        list(OutboxSource(database).samples())
    database.close()
