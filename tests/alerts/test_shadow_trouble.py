"""A shadow that was set aside is an alert until a pass goes on, and what the bus brings is recorded meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ordinis_learn.capture import CaptureReceipt
from ordinis_learn.errors import DataCorrupt, ShadowSetAside, StoreUnavailable
from ordinis_learn.records import ModelType
from ordinis_learn.settings import load_settings
from ordinis_learn.testing.alert_book import InMemoryAlertBook
from ordinis_learn.use_cases.shadow_live import ScoringRecorder
from ordinis_learn.use_cases.shadow_trouble import see_shadow_goes_on, see_shadow_trouble

ARTIFACT = SimpleNamespace(name="desk_rule", version="2", model_type=ModelType.SIGNAL_MODEL)
SILENT = ShadowSetAside("score", found="it was silent", next_step="see what holds the machine up")


@pytest.fixture
def desk(clock, tmp_path):
    settings = load_settings(home=tmp_path, actor="monitor")
    return SimpleNamespace(alerts=InMemoryAlertBook(clock=clock), settings=settings, clock=clock)


@pytest.mark.parametrize(
    "error", [SILENT, DataCorrupt("start", found="it was silent", next_step="see what holds the machine up")]
)
def test_it_counts_once_a_day_and_closes_when_a_pass_goes_on(desk, clock, error):
    for _ in range(3):
        see_shadow_trouble(desk, ARTIFACT, error)
    (alert,) = desk.alerts.alerts("desk_rule")
    assert (alert.kind, alert.version, alert.severity, alert.repeats) == (
        "shadow_stopped",
        "2",
        "warning",
        1,
    )
    assert "it was silent; next: see what holds the machine up" in alert.summary
    clock.advance(days=1)
    see_shadow_trouble(desk, ARTIFACT, error)
    assert desk.alerts.alerts("desk_rule")[0].repeats == 2
    see_shadow_goes_on(desk, ARTIFACT)
    assert desk.alerts.alerts() == []


def test_another_runner_at_work_is_no_trouble_of_the_version(desk):
    see_shadow_trouble(
        desk, ARTIFACT, StoreUnavailable("run", found="process 7 runs it already", next_step="wait")
    )
    assert desk.alerts.alerts() == []


def test_what_the_bus_brings_is_recorded_though_a_model_is_silent():
    class Recorder:
        def record_events(self, events, *, batch_size):
            return CaptureReceipt(accepted=min(len(events), batch_size))

    class Silent:
        def catch_up(self):
            raise SILENT

    told = []
    recorder = ScoringRecorder(Recorder(), Silent(), set_aside=told.append)
    assert recorder.record_events([{}, {}]).accepted == 2
    assert told == [SILENT]
