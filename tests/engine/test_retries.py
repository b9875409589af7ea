"""Training is tried again where the error says that it may help, and what was active stays."""

from dataclasses import replace

import pytest

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import TrainConfig
from ordinis_learn.use_cases.train import train

CONFIG = TrainConfig(name="tried", dataset="core", rounds=10, folds=2)


class FlakyTracker:
    """A tracker that cannot take a model the first times it is asked to open a run for one."""

    def __init__(self, tracker, *, failures):
        self._tracker = tracker
        self.left = failures

    def start_run(self, name, *, parent=None, tags=None):
        if name.startswith("train") and self.left:
            self.left -= 1
            raise StoreUnavailable("open a run", found="no route to host", next_step="wait")
        return self._tracker.start_run(name, parent=parent, tags=tags)

    def read_json(self, run_id, *, path):
        return self._tracker.read_json(run_id, path=path)


def flaky(engine, *, failures, retries):
    bench = engine.workbench
    return replace(
        bench,
        tracker=FlakyTracker(bench.tracker, failures=failures),
        settings=bench.settings.model_copy(update={"learn_train_retries": retries}),
    )


def test_it_is_tried_as_often_as_configured_and_waits_longer_each_time(engine):
    waited = []
    artifact = train(flaky(engine, failures=2, retries=2), CONFIG, sleep=waited.append)
    assert artifact.version == "1"
    assert waited == [1.0, 2.0]


def test_then_it_fails_and_nothing_was_registered(engine):
    bench = flaky(engine, failures=9, retries=1)
    with pytest.raises(StoreUnavailable):
        train(bench, CONFIG, sleep=lambda _: None)
    assert bench.tracker.left == 7
    assert bench.catalogue.artifacts("tried") == []


def test_what_would_fail_again_is_not_tried_again(engine, tmp_path):
    tracker = InMemoryTracker(tmp_path / "runs")
    bench = replace(engine.workbench, tracker=tracker)
    with pytest.raises(ConfigInvalid):
        train(bench, CONFIG.model_copy(update={"horizon_sessions": 3}), sleep=pytest.fail)
    assert tracker.runs == []


class AwayRegistry:
    """A registry that takes no version the first time."""

    def __init__(self, registry):
        self._registry = registry
        self.asked = 0

    def register(self, artifact, *, model_uri):
        self.asked += 1
        if self.asked == 1:
            raise StoreUnavailable("register", found="no route to host", next_step="wait")
        return self._registry.register(artifact, model_uri=model_uri)

    def __getattr__(self, name):
        return getattr(self._registry, name)


class CountingTracker:
    """A tracker that notes which runs were opened."""

    def __init__(self, tracker):
        self._tracker = tracker
        self.opened = []

    def start_run(self, name, *, parent=None, tags=None):
        self.opened.append(name)
        return self._tracker.start_run(name, parent=parent, tags=tags)

    def __getattr__(self, name):
        return getattr(self._tracker, name)


def test_a_registry_that_was_away_does_not_cost_the_search_again(engine):
    tracker = CountingTracker(engine.workbench.tracker)
    registry = AwayRegistry(engine.workbench.registry)
    settings = engine.workbench.settings.model_copy(update={"learn_train_retries": 1})
    bench = replace(engine.workbench, tracker=tracker, registry=registry, settings=settings)
    searched = CONFIG.model_copy(update={"trials": 3})
    artifact = train(bench, searched, sleep=lambda _: None)
    assert (artifact.version, artifact.trials, registry.asked) == ("1", 3, 2)
    assert [name for name in tracker.opened if name.startswith("trial")] == ["trial 0", "trial 1", "trial 2"]
    # It is closed now: the same again is a new search.
    assert train(bench, searched, sleep=lambda _: None).trials == 3
    assert sum(name.startswith("trial") for name in tracker.opened) == 6
