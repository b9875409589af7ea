"""An embedding model's queries are watched every day, or it is said why they cannot be."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ordinis_learn.ports import Standing
from ordinis_learn.records import State
from ordinis_learn.use_cases.drift_daily import run_daily_drift
from ordinis_learn.use_cases.query_drift_daily import plan_queries
from ordinis_registry import SqlAlertBook, SqlCatalogue

from .conftest import answered  # isort: skip

FIRST = date(2026, 1, 5)


class InShadow:
    """The desk's registry, where every version is in SHADOW: this is not about promotions."""

    def __init__(self, registry, catalogue):
        self._registry, self._catalogue = registry, catalogue

    def __getattr__(self, attribute):
        return getattr(self._registry, attribute)

    def state(self, name, version):
        del name, version
        return State.SHADOW

    def standings(self):
        known = self._catalogue.artifacts()
        return {
            name: Standing(
                active=None, incumbent=None, shadow=tuple(one.version for one in known if one.name == name)
            )
            for name in {one.name for one in known}
        }


class Desk:
    """A desk where queries are asked day by day."""

    def __init__(self, engine, language, folder):
        self.engine, self.language, self.folder = engine, language, folder

    def at(self, day):
        """The workbench early on a day, counted from the first."""
        bench, moment = self.engine.workbench, datetime(2026, 1, 5, 6, tzinfo=UTC) + timedelta(days=day)
        database = bench.alerts._database
        return replace(
            bench,
            clock=lambda: moment,
            alerts=SqlAlertBook(database, clock=lambda: moment),
            catalogue=SqlCatalogue(database, clock=lambda: moment),
            registry=InShadow(bench.registry, bench.catalogue),
        )

    def ask(self, days, *, foreign=0):
        """Record ten answered queries on each day; return their texts by document."""
        events, texts = [], {}
        for day in days:
            for number, (query, text) in enumerate(self.language.texts(10, seed=1000 + day, foreign=foreign)):
                event = answered(number, query, f"day-{day}-{number}")
                at = (datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(days=day, minutes=number)).isoformat()
                events.append(event | {"ts_event": at, "ts_ingest": at})
                texts[f"day-{day}-{number}"] = text
        self.engine.workbench.recorder.record_events(events)
        return texts

    def trained(self, days):
        """Train a model on the queries of some days."""
        texts = self.ask(days)
        path = self.folder / "documents.jsonl"
        lines = [{"doc_id": doc_id, "locator": "", "text": text} for doc_id, text in texts.items()]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        first, last = (FIRST + timedelta(days=day) for day in (days[0], days[-1]))
        window = {"start": f"{first}", "end": f"{last}", "kind": "rag_eval"}
        dataset = self.engine.build_dataset("queries", window)
        settings = {"model_type": "embed_model", "name": "texts", "dimensions": 128, "rank": 4, "epochs": 1}
        return self.engine.train(settings | {"dataset": dataset, "documents": str(path)})


@pytest.fixture
def desk(engine, language, tmp_path):
    return Desk(engine, language, tmp_path)


@pytest.mark.slow
def test_queries_are_checked_each_day_once_and_a_shift_of_them_is_an_alert(desk):
    pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")
    desk.trained(range(30))

    def checked(day):
        return [(one.outcome, one.session, one.said) for one in run_daily_drift(desk.at(day))]

    desk.ask(range(30, 34))
    assert checked(34) == [("nothing", None, "1 days of queries since 2026-02-03 are missing")]
    desk.ask(range(34, 45))
    assert checked(45) == [("checked", FIRST + timedelta(days=44), "no breach")]
    assert checked(45) == [("nothing", None, "no new day with queries")]
    desk.ask(range(45, 60), foreign=1)  # people ask about what they never asked about
    found = checked(60)
    assert [day for _, day, _ in found] == [FIRST + timedelta(days=day) for day in range(45, 60)]
    assert found[-1][2] == "1 of 1 findings breached"
    bench = desk.at(60)
    (alert,) = bench.alerts.alerts("texts")
    assert (alert.kind, alert.metric, alert.features) == ("drift", "embedding_mmd", ("query",))
    assert bench.alerts.unlogged() == []
    (reference,) = (bench.settings.drift_dir / "references").glob("queries-*.safetensors")
    query = desk.language.texts(1, seed=1000)[0][0]
    assert query.encode() not in reference.read_bytes()


@pytest.mark.slow
def test_where_no_check_is_possible_the_job_says_why(desk):
    pytest.importorskip("torch", reason="install the extra: pip install -e '.[torch]'")
    desk.trained(range(12))
    desk.ask(range(12, 20))
    (check,) = run_daily_drift(desk.at(20))
    assert check.outcome == "failed"
    assert "queries on 12 days, 20 are needed" in check.said
    (alert,) = desk.at(20).alerts.alerts("texts")
    assert (alert.kind, "longer window" in alert.summary) == ("check_failed", True)


def test_an_encoder_that_was_trained_on_nothing_has_nothing_to_be_compared_with(desk):
    frozen = desk.engine.train({"model_type": "embed_model", "name": "frozen", "epochs": 0})
    plan = plan_queries(desk.at(40), desk.engine.workbench.catalogue.artifact(frozen.artifact_id), seed=1)
    assert (plan.sessions, "without a training" in plan.nothing) == ((), True)
