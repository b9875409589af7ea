"""The loss of a model is followed from check to check, and goes on when rows are pruned."""

from datetime import date, timedelta

import pytest

from ordinis_learn.datasets.store import PRUNED_FILE, dataset_folder
from ordinis_learn.drift import load_watch
from ordinis_learn.use_cases.drift import check_model_drift

SINCE, MIDDLE, UNTIL = date(1995, 1, 3), date(1995, 3, 31), date(1995, 6, 30)
DAY = timedelta(days=1)


@pytest.fixture
def check(engine):
    rule = engine.train({"name": "desk_rule", "model": "rule"})

    def run(start, end, *, daily=True):
        return check_model_drift(
            engine.workbench,
            "desk_rule",
            version=rule.version,
            dataset="core",
            start=start,
            end=end,
            session=end if daily else None,
        )

    return run


def followed(report):
    return [finding for finding in report.findings if finding.metric.startswith("loss_")]


@pytest.mark.slow
def test_two_checks_count_each_session_once_and_end_where_one_check_ends(engine, check):
    folder = engine.workbench.settings.drift_dir / "loss"
    first = check(SINCE, MIDDLE)
    after_first = load_watch(next(folder.iterdir()))
    second = check(SINCE, UNTIL)
    after_second = load_watch(next(folder.iterdir()))
    assert 0 < after_first.counted < after_second.counted
    assert after_first.last_session <= MIDDLE < after_second.last_session <= UNTIL
    assert [finding.metric for finding in followed(first)] == ["loss_cusum", "loss_page_hinkley"]
    assert followed(check(SINCE, MIDDLE - DAY)) == []  # a look back: what came later is not told about then
    assert load_watch(next(folder.iterdir())) == after_second

    by_hand = check(SINCE + 2 * DAY, UNTIL + 30 * DAY, daily=False)
    assert followed(by_hand)
    assert load_watch(next(folder.iterdir())) == after_second  # a look ahead by hand moves nothing

    next(folder.iterdir()).unlink()
    assert followed(check(SINCE + DAY, UNTIL)) == followed(second)
    assert load_watch(next(folder.iterdir())) == after_second


@pytest.mark.slow
def test_drift_is_measured_alike_when_the_rows_of_the_reference_are_pruned(engine, check):
    bench = engine.workbench
    before = check(SINCE, MIDDLE)
    manifest = bench.catalogue.dataset("core")
    folder = dataset_folder(
        bench.settings.datasets_dir, dataset_id=manifest.dataset_id, version=manifest.version
    )
    (folder / PRUNED_FILE).write_text("kept long enough\n")
    for file in manifest.files:
        (folder / file.path).unlink()
    next(
        (bench.settings.drift_dir / "loss").iterdir()
    ).unlink()  # even the record is read again, from the log
    after = check(SINCE + DAY, MIDDLE)
    assert {(f.feature, f.metric) for f in after.findings} == {(f.feature, f.metric) for f in before.findings}
    assert followed(after) == followed(before)
