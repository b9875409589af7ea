"""The loss of a model is followed from check to check."""

from datetime import date

import pytest

from ordinis_learn.drift import load_watch
from ordinis_learn.use_cases.drift import check_model_drift

SINCE, MIDDLE, UNTIL = date(1995, 1, 3), date(1995, 3, 31), date(1995, 6, 30)


@pytest.fixture
def check(engine):
    rule = engine.train({"name": "desk_rule", "model": "rule"})

    def run(start, end):
        return check_model_drift(
            engine.workbench, "desk_rule", version=rule.version, dataset="core", start=start, end=end
        )

    return run


def followed(report):
    return [finding for finding in report.findings if finding.metric.startswith("loss_")]


def test_two_checks_count_each_session_once_and_end_where_one_check_ends(engine, check):
    kept = engine.workbench.settings.drift_dir / "loss"
    first = check(SINCE, MIDDLE)
    after_first = load_watch(next(kept.iterdir()))
    second = check(SINCE, UNTIL)
    after_second = load_watch(next(kept.iterdir()))
    assert 0 < after_first.counted < after_second.counted
    assert after_first.last_session <= MIDDLE < after_second.last_session <= UNTIL
    assert [finding.metric for finding in followed(first)] == ["loss_cusum", "loss_page_hinkley"]
    assert followed(check(SINCE, MIDDLE)) == []  # a look back: what came later is not told about then

    next(kept.iterdir()).unlink()
    assert followed(check(SINCE, UNTIL)) == followed(second)
    assert load_watch(next(kept.iterdir())) == after_second
