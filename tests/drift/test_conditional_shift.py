"""A feature beside the others: what moves all of them is weather, what moves one of them is not."""

import numpy as np
import pytest
from scipy.signal import lfilter

SESSIONS, SYMBOLS, FEATURES = 900, 10, ("one", "two", "index")


def desk(rows, *, seed, sessions, start="2000-01-03", **factors):
    """Three volatilities that follow a market whose own volatility remembers for months."""
    rng = np.random.default_rng(seed)
    market = lfilter([1.0], [1.0, -0.99], 0.2 * rng.standard_normal(sessions + 300))[300:, None]
    noise = {name: 0.2 * rng.standard_normal((sessions, SYMBOLS)) for name in FEATURES}
    values = {name: np.exp(market + noise[name]) * factors.get(name, 1.0) for name in FEATURES}
    return rows(values, symbols=SYMBOLS, start=start)


@pytest.fixture(scope="module")
def given():
    return lambda report: {f.feature: f.severity for f in report.findings if f.metric == "psi_given_rest"}


def alone(report, name):
    return next(f.severity for f in report.findings if (f.feature, f.metric) == (name, "psi"))


def test_one_that_trebled_is_seen_beside_the_others_where_it_alone_is_not(check, rows, given):
    reference = desk(rows, seed=1, sessions=SESSIONS)
    found = {"alone": 0, "beside": 0}
    for seed in range(2, 7):
        month = desk(rows, seed=seed, sessions=21, start="2005-01-03", two=3.0)
        report = check(reference, month, features=FEATURES)
        found["alone"] += alone(report, "two") == "critical"
        found["beside"] += given(report)["two"] == "critical"
    assert found["beside"] == 5
    assert found["alone"] <= 2


def test_a_market_that_moves_as_a_whole_is_not_drift(check, rows, given):
    reference = desk(rows, seed=1, sessions=SESSIONS)
    month = desk(rows, seed=9, sessions=21, start="2005-01-03", one=2.0, two=2.0, index=2.0)
    assert set(given(check(reference, month, features=FEATURES)).values()) == {"none"}


def test_a_feature_that_vanished_does_not_make_its_neighbours_look_moved(check, rows, given):
    reference = desk(rows, seed=1, sessions=SESSIONS)
    month = desk(rows, seed=10, sessions=21, start="2005-01-03").drop_columns(["f_index"])
    report = check(reference, month, features=FEATURES)
    assert given(report) == {"one": "none", "two": "none"}
    missing = next(f for f in report.findings if (f.feature, f.metric) == ("index", "missing_rate"))
    assert missing.severity == "critical"
    lonely = check(reference, month.drop_columns(["f_one"]), features=FEATURES)
    assert given(lonely) == {}


def test_two_copies_of_a_feature_are_each_explained_by_the_other(check, rows, given):
    values = np.random.default_rng(3).standard_normal((SESSIONS, 2))
    reference = rows({"x": values, "copy": values}, symbols=2)
    recent = np.random.default_rng(4).standard_normal((40, 2))
    month = rows({"x": recent, "copy": recent * 1.001}, symbols=2, start="2005-01-03")
    assert set(given(check(reference, month, features=("x", "copy"))).values()) == {"none"}


def test_few_windows_do_not_show_their_own_noise(check, rows, given):
    reference = desk(rows, seed=1, sessions=100)
    month = desk(rows, seed=2, sessions=21, start="2005-01-03")
    assert given(check(reference, month, features=FEATURES)) == {}
