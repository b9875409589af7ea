"""Every session since the last check, in order, each exactly once."""

from __future__ import annotations

import pytest

from ordinis_learn.errors import ArtifactMissing
from ordinis_learn.use_cases.drift_daily import DRIFT_JOB, run_daily_drift


def sessions_of(done):
    return [check.session for check in done if check.outcome == "checked"]


@pytest.mark.slow
def test_the_first_check_is_of_the_newest_session_and_each_later_one_of_what_came_since(
    bench, clock, captured, coming, record_until
):
    clock.to(captured)
    assert sessions_of(run_daily_drift(bench)) == [captured]
    assert sessions_of(run_daily_drift(bench)) == []
    record_until(coming[2], start=coming[0])
    clock.to(coming[1])
    assert sessions_of(run_daily_drift(bench)) == coming[:2]
    clock.to(coming[2])
    assert sessions_of(run_daily_drift(bench)) == [coming[2]]
    assert len(bench.catalogue.drift("desk_rule")) == 4
    assert bench.alerts.unlogged() == []
    assert bench.alerts.beats()[DRIFT_JOB].through == str(coming[2])


def test_a_misspelt_model_is_no_quiet_day(bench):
    with pytest.raises(ArtifactMissing, match="desk_ruel"):
        run_daily_drift(bench, name="desk_ruel")
