"""Wrong data, each refused by the name of what is wrong with it."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ordinis_learn.datasets.assembly import assemble
from ordinis_learn.datasets.signal_suite import signal_suite, signal_totals, validate_signals
from ordinis_learn.errors import DataMissing, DatasetRejected
from ordinis_learn.records import BarrierRule, DatasetWindow

HORIZONS = (1, 5)
FEATURES = ("f_ret_1", "f_vol_20")
BARRIERS = BarrierRule()
TOUCHED = 135
"""A row with a triple-barrier label, of the fifth session."""
INF, NAN = float("inf"), float("nan")


@pytest.fixture(scope="module")
def good(new_desk):
    window = DatasetWindow(start="2001-01-03", end="2001-02-04", horizons=HORIZONS)
    return assemble(new_desk(symbols=6, days=60).log(), window=window).table


def verdict(rows, *, features=FEATURES, minimum_samples=10):
    return validate_signals(
        rows, horizons=HORIZONS, features=features, barriers=BARRIERS, minimum_samples=minimum_samples
    )


def outside(rows):
    """The names of the errors whose total is not within its bounds, without asking Great Expectations."""
    suite = signal_suite(horizons=HORIZONS, features=FEATURES, barriers=BARRIERS)
    totals = signal_totals(rows, suite=suite, horizons=HORIZONS, features=FEATURES, minimum_samples=10)
    return [
        entry.name
        for entry in suite.expectations
        if (found := totals.get(entry.name)) is not None
        and entry.severity == "error"
        and not (-INF if entry.low is None else entry.low)
        <= found
        <= (INF if entry.high is None else entry.high)
    ]


def put(table, name, values):
    """Replace a whole column, or append it."""
    array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.array(values)
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, array)
    return table.append_column(name, array)


def one(table, name, row, value):
    values = table[name].to_pylist()
    values[row] = value
    return put(table, name, pa.array(values, table[name].type))


def shuffled(table, *names, seed=0):
    order = pa.array(np.random.default_rng(seed).permutation(len(table)))
    for name in names:
        table = put(table, name, table[name].take(order))
    return table


def noisy(table, label, *, share):
    """A feature of which ``share`` of the variance is the label."""
    values = table[label].to_numpy()
    noise = np.random.default_rng(0).normal(0.0, values.std(), len(values))
    return np.sqrt(share) * values + np.sqrt(1 - share) * noise


def first_known(table, name):
    return table[name].is_valid().to_pylist().index(True)


def row_where(table, name, value, *, known=None):
    found = pc.equal(table[name], value)
    if known is not None:
        found = pc.and_(found, table[known].is_valid())
    return found.to_pylist().index(True)


def realised(table, **changed):
    """Make row 50 a position that was opened and closed with a gain, but for what is changed."""
    closed = {
        "position_effect": "open",
        "realised_pnl": 5.0,
        "realised_ret": 0.1,
        "realised_available_at": table["ts_signal"][50].as_py() + timedelta(days=2),
        "realised_status": "realised",
    }
    for name, value in (closed | changed).items():
        table = one(table, name, 50, value)
    return table


def test_a_realised_position_passes(good):
    assert outside(realised(good)) == []


def test_good_data_pass(good):
    found = verdict(good)
    assert found.success
    assert found.evaluated == found.expected > 100
    assert (found.failed, found.error) == ((), None)


ATTACKS = {
    "no rows": (lambda t: t.slice(0, 0), "empty"),
    "inf in a feature": (lambda t: one(t, "f_ret_1", 3, INF), "not_finite(f_ret_1)"),
    "-inf in fees": (lambda t: one(t, "fees", 3, -INF), "not_finite(fees)"),
    "NaN in a label": (lambda t: one(t, "fwd_ret_5d", 3, NAN), "not_finite(fwd_ret_5d)"),
    "a label that is null everywhere": (
        lambda t: put(t, "fwd_ret_5d", pa.nulls(len(t), pa.float64())),
        "no_labels(5d)",
    ),
    "few labels": (
        lambda t: put(
            t, "fwd_ret_1d", pc.if_else(pa.array(np.arange(len(t)) % 3 > 0), None, t["fwd_ret_1d"])
        ),
        "few_labels(1d)",
    ),
    "a feature that is a label": (lambda t: put(t, "f_ret_1", t["fwd_ret_5d"]), "look_ahead(f_ret_1)"),
    "a feature that is a signed label": (
        lambda t: put(t, "f_ret_1", t["signed_ret_1d"]),
        "look_ahead(f_ret_1)",
    ),
    "a label, upside down and bent": (
        lambda t: put(t, "f_ret_1", -np.exp(80 * t["fwd_ret_1d"].to_numpy())),
        "look_ahead(f_ret_1)",
    ),
    "a label's sign": (
        lambda t: put(t, "f_vol_20", np.sign(t["fwd_ret_1d"].to_numpy())),
        "look_ahead(f_vol_20)",
    ),
    "three quarters of a label": (
        lambda t: put(t, "f_ret_1", noisy(t, "fwd_ret_1d", share=0.75)),
        "look_ahead(f_ret_1)",
    ),
    "features computed after the signal": (
        lambda t: put(t, "ts_features", pc.add(t["ts_signal"], timedelta(seconds=1))),
        "look_ahead(ts_features)",
    ),
    "a label that starts at the signal": (
        lambda t: one(t, "label_start_5d", 50, t["session"][50].as_py()),
        "look_ahead(label_start_5d)",
    ),
    "a label known before the signal": (
        lambda t: one(t, "label_available_at_1d", 50, t["ts_signal"][50].as_py()),
        "look_ahead(label_available_at_1d)",
    ),
    "a label known before its end": (
        lambda t: one(t, "label_end_5d", 50, t["label_end_5d"][50].as_py() + timedelta(days=9)),
        "backwards(label_available_at_5d)",
    ),
    "a label that ends as it starts": (
        lambda t: one(t, "label_end_5d", 50, t["label_start_5d"][50].as_py()),
        "backwards(label_end_5d)",
    ),
    "a label without an end": (lambda t: one(t, "label_end_1d", 50, None), "undated(1d)"),
    "a shuffled label": (lambda t: shuffled(t, "signed_ret_1d"), "inconsistent(signed_ret_1d)"),
    "rows in reverse": (lambda t: t.take(pa.array(np.arange(len(t))[::-1])), "out_of_order(session)"),
    "two rows exchanged": (
        lambda t: t.take(pa.array([*range(40), 100, *range(41, 100), 40, *range(101, len(t))])),
        "out_of_order(session)",
    ),
    "shuffled time stamps": (lambda t: shuffled(t, "ts_signal"), "shuffled_time"),
    "time stamps a week late": (
        lambda t: put(t, "ts_signal", pc.add(t["ts_signal"], timedelta(days=7))),
        "shuffled_time(1d)",
    ),
    "a row twice": (lambda t: t.take(pa.array([0, *range(len(t))])), "duplicate(signal_id)"),
    "99 % rises": (
        lambda t: put(t, "fwd_ret_1d", np.where(np.arange(len(t)) % 100 == 1, -0.01, 0.01)),
        "one_class(1d)",
    ),
    "99 % falls": (
        lambda t: put(t, "fwd_ret_5d", np.where(np.arange(len(t)) % 100 == 1, 0.01, -0.01)),
        "one_class(5d)",
    ),
    "prices that do not move": (lambda t: put(t, "fwd_ret_1d", np.zeros(len(t))), "one_class(1d)"),
    "a constant feature": (lambda t: put(t, "f_vol_20", np.full(len(t), 0.2)), "constant(f_vol_20)"),
    "a feature that is null everywhere": (
        lambda t: put(t, "f_vol_20", pa.nulls(len(t), pa.float64())),
        "constant(f_vol_20)",
    ),
    "a feature with a hole": (lambda t: one(t, "f_vol_20", 9, None), "missing(f_vol_20)"),
    "a return of -100 %": (lambda t: one(t, "fwd_ret_5d", 9, -1.0), "absurd(fwd_ret_5d)"),
    "a return of +1,050 %": (lambda t: one(t, "fwd_ret_1d", 9, 10.5), "absurd(fwd_ret_1d)"),
    "a missed split, 10 for 1": (lambda t: one(t, "fwd_ret_1d", 9, -0.898), "missed_split(1d)"),
    "a missed reverse split, 1 for 4": (lambda t: one(t, "fwd_ret_5d", 9, 3.06), "missed_split(5d)"),
    "uniqueness over 1": (lambda t: one(t, "uniqueness_1d", 9, 1.5), "absurd(uniqueness_1d)"),
    "a missing column": (lambda t: t.drop_columns(["confidence"]), "wrong_schema(confidence)"),
    "numbers as text": (
        lambda t: put(t, "f_ret_1", t["f_ret_1"].cast(pa.string())),
        "wrong_schema(f_ret_1)",
    ),
    "a time without its zone": (
        lambda t: put(t, "ts_signal", t["ts_signal"].cast(pa.timestamp("us"))),
        "wrong_schema(ts_signal)",
    ),
    "a half-sized feature": (
        lambda t: put(t, "f_ret_1", t["f_ret_1"].cast(pa.float32())),
        "wrong_schema(f_ret_1)",
    ),
    "a model without a name": (lambda t: one(t, "model_id", 9, None), "missing(model_id)"),
    "a direction of 2": (lambda t: one(t, "direction", 9, 2), "unknown(direction)"),
    "a confidence of 1.5": (lambda t: one(t, "confidence", 9, 1.5), "absurd(confidence)"),
    "a price of 0": (lambda t: one(t, "avg_fill_price", 9, 0.0), "absurd(avg_fill_price)"),
    "an unknown join": (lambda t: one(t, "join_quality", 9, "guessed"), "unknown(join_quality)"),
    "a volatility of 300 %": (lambda t: one(t, "volatility", 30, 3.0), "absurd(volatility)"),
    "a volatility below 0": (lambda t: one(t, "volatility", 30, -0.01), "absurd(volatility)"),
    "a volatility that is NaN": (lambda t: one(t, "volatility", 30, NAN), "not_finite(volatility)"),
    "a volatility of other rows": (
        lambda t: shuffled(t, "volatility"),
        "inconsistent(risk_adj_ret_5d)",
    ),
    "a risk-adjusted return without a volatility": (
        lambda t: one(t, "volatility", first_known(t, "risk_adj_ret_1d"), None),
        "inconsistent(risk_adj_ret_1d)",
    ),
    "a status of no vocabulary": (
        lambda t: one(t, "label_status_5d", 9, "done"),
        "unknown(label_status_5d)",
    ),
    "a label without a status": (lambda t: one(t, "label_status_1d", 9, None), "missing(label_status_1d)"),
    "a status of another kind of label": (
        lambda t: one(t, "label_status_1d", 9, "no_volatility"),
        "unknown(label_status_1d)",
    ),
    "labelled without a label": (
        lambda t: one(t, "fwd_ret_5d", 9, None),
        "inconsistent(label_status_5d)",
    ),
    "a label that is pending": (
        lambda t: one(t, "label_status_1d", 9, "pending"),
        "inconsistent(label_status_1d)",
    ),
    "a touch of 2": (lambda t: one(t, "tb_label", first_known(t, "tb_label"), 2), "unknown(tb_label)"),
    "a meta-label of -1": (
        lambda t: one(t, "meta_label", first_known(t, "meta_label"), -1),
        "unknown(meta_label)",
    ),
    "a profit that lost": (
        lambda t: one(t, "tb_ret", row_where(t, "tb_label", 1), -0.05),
        "inconsistent(tb_label)",
    ),
    "meta-labels turned over": (
        lambda t: put(t, "meta_label", pc.subtract(pa.scalar(1, pa.int8()), t["meta_label"])),
        "inconsistent(meta_label)",
    ),
    "a meta-label of a flat signal": (
        lambda t: one(t, "meta_label", row_where(t, "direction", 0, known="tb_label"), 1),
        "inconsistent(meta_label)",
    ),
    "a touch after patience ended": (
        lambda t: one(t, "tb_sessions", first_known(t, "tb_label"), BARRIERS.sessions + 1),
        "absurd(tb_sessions)",
    ),
    "a touch at once": (
        lambda t: one(t, "tb_sessions", first_known(t, "tb_label"), 0),
        "absurd(tb_sessions)",
    ),
    "a touch of +1,100 %": (lambda t: one(t, "tb_ret", first_known(t, "tb_label"), 11.0), "absurd(tb_ret)"),
    "an infinite touch": (lambda t: one(t, "tb_ret", first_known(t, "tb_label"), INF), "not_finite(tb_ret)"),
    "a touch that weighs nothing": (
        lambda t: one(t, "tb_uniqueness", first_known(t, "tb_label"), 0.0),
        "absurd(tb_uniqueness)",
    ),
    "a touch at the signal": (
        lambda t: one(t, "tb_end", first_known(t, "tb_end"), t["session"][first_known(t, "tb_end")].as_py()),
        "look_ahead(tb_end)",
    ),
    "a touch where it was entered": (
        lambda t: put(t, "tb_end", pc.if_else(pc.is_valid(t["tb_end"]), t["label_start_1d"], t["tb_end"])),
        "inconsistent(tb_end)",
    ),
    "a touch of the fifth session, dated after it": (
        lambda t: one(t, "tb_end", TOUCHED, t["label_end_5d"][TOUCHED].as_py() + timedelta(days=3)),
        "inconsistent(tb_end)",
    ),
    "a touch known at the signal": (
        lambda t: one(t, "tb_available_at", TOUCHED, t["ts_signal"][TOUCHED].as_py()),
        "look_ahead(tb_available_at)",
    ),
    "a touch known before it happened": (
        lambda t: one(t, "tb_end", TOUCHED, t["tb_available_at"][TOUCHED].as_py().date() + timedelta(days=1)),
        "backwards(tb_available_at)",
    ),
    "a touch with no status": (lambda t: one(t, "tb_status", 9, None), "missing(tb_status)"),
    "a touch of an unknown status": (lambda t: one(t, "tb_status", 9, "touched"), "unknown(tb_status)"),
    "a touch that is pending": (
        lambda t: one(t, "tb_status", first_known(t, "tb_label"), "pending"),
        "inconsistent(tb_status)",
    ),
    "a touch without its date": (
        lambda t: one(t, "tb_end", first_known(t, "tb_end"), None),
        "inconsistent(tb_status)",
    ),
    "no touch anywhere": (lambda t: put(t, "tb_label", pa.nulls(len(t), pa.int8())), "no_labels(tb)"),
    "99 % of touches lose": (
        lambda t: put(t, "tb_ret", np.where(np.arange(len(t)) % 100 == 1, 0.01, -0.01)),
        "one_class(tb)",
    ),
    "a profit before the signal": (
        lambda t: realised(t, realised_available_at=t["ts_signal"][50].as_py() - timedelta(seconds=1)),
        "look_ahead(realised_available_at)",
    ),
    "a profit of -2,100 %": (lambda t: realised(t, realised_ret=-21.0), "absurd(realised_ret)"),
    "a profit that is NaN": (lambda t: realised(t, realised_pnl=NAN), "not_finite(realised_pnl)"),
    "a gain that lost": (lambda t: realised(t, realised_pnl=-5.0), "inconsistent(realised_ret)"),
    "a profit of an open position": (
        lambda t: realised(t, realised_status="open"),
        "inconsistent(realised_status)",
    ),
    "a profit without its time": (
        lambda t: realised(t, realised_available_at=None),
        "inconsistent(realised_status)",
    ),
    "a position of no status": (
        lambda t: one(t, "realised_status", 9, None),
        "missing(realised_status)",
    ),
    "a status of positions that is none": (
        lambda t: one(t, "realised_status", 9, "closed"),
        "unknown(realised_status)",
    ),
    "an effect that is none": (
        lambda t: one(t, "position_effect", 9, "hold"),
        "unknown(position_effect)",
    ),
    "an effect of nothing": (
        lambda t: realised(
            t, realised_status="none", realised_pnl=None, realised_ret=None, realised_available_at=None
        ),
        "inconsistent(position_effect)",
    ),
    "a profit of closing": (lambda t: realised(t, position_effect="close"), "inconsistent(position_effect)"),
}


@pytest.mark.parametrize(("attack", "name"), ATTACKS.values(), ids=ATTACKS)
def test_wrong_data_are_refused_by_name(good, attack, name):
    assert name in outside(attack(good))


@pytest.mark.parametrize("some", [0, 1, 2])
def test_great_expectations_finds_what_is_outside(good, some):
    """Many attacks at once: its verdict is that of the bounds, expectation by expectation."""
    table = good
    for attack, _ in list(ATTACKS.values())[some + 1 :: 3]:
        changed = attack(table)
        if len(changed) == len(table) and changed.schema.equals(table.schema):
            table = changed
    found = verdict(table)
    assert not found.success
    assert len(found.failed) >= 8
    assert list(found.failed) == outside(table)


def test_nothing_but_rows_can_be_said_of_no_rows(good):
    found = verdict(good.slice(0, 0))
    assert (found.success, found.failed, found.evaluated) == (False, ("empty",), 0)
    assert "no rows" in found.error


def test_a_label_by_its_name_among_the_features(good):
    table = put(good, "f_fwd_ret_20d", good["f_ret_1"])
    assert "label_among_features" in verdict(table, features=(*FEATURES, "f_fwd_ret_20d")).failed


def test_too_little_evidence(good):
    assert verdict(good, minimum_samples=10_000).failed == ("few_effective_samples(1d)",)


def test_no_features(good):
    assert verdict(good, features=()).failed == ("no_features",)


def test_what_reads_a_wrong_column_counts_as_not_evaluated(good):
    found = verdict(good.drop_columns(["confidence"]))
    assert found.failed == ("wrong_schema(confidence)",)
    assert found.evaluated == found.expected - 3  # missing, absurd, not_finite
    assert found.error.startswith("not evaluated: missing(confidence)")


def test_a_suspicion_is_reported_and_rejects_nothing(good):
    known = {"uniqueness_1d": np.ones(len(good)), "uniqueness_5d": np.ones(len(good))}
    table = put(good, "f_ret_1", noisy(good, "fwd_ret_1d", share=0.10))
    for name, values in known.items():
        table = put(table, name, values)
    # Five standard errors of this little evidence are above 0.2; twenty times as much is enough to tell.
    big = pa.concat_tables(
        [
            put(table, "signal_id", pc.binary_join_element_wise(table["signal_id"], str(n), "-"))
            for n in range(20)
        ]
    ).sort_by("session")
    found = verdict(big)
    assert found.success
    assert "suspicious(f_ret_1)" in found.warnings


def test_one_crash_among_many_rows_is_a_warning(good):
    rows = pa.concat_tables(
        [
            put(good, "signal_id", pc.binary_join_element_wise(good["signal_id"], str(n), "-"))
            for n in range(4)
        ]
    ).sort_by("session")
    crashed = one(one(rows, "fwd_ret_1d", 9, -0.51), "signed_ret_1d", 9, -0.51 * rows["direction"][9].as_py())
    found = verdict(crashed)
    assert found.success
    assert "split_like(1d)" in found.warnings


def test_files_are_judged_as_the_table_is(good, tmp_path):
    for number in range(3):
        part = good.slice(number * 70, 70 if number < 2 else len(good))
        pq.write_table(part, tmp_path / f"part-{number}.parquet")
    from_files = ds.dataset(sorted(tmp_path.glob("*.parquet")))
    assert verdict(from_files) == verdict(good)


class TestFromEvents:
    """The same, end to end: what the builder says of a desk that was wired wrongly."""

    @staticmethod
    def failed(build, desk, **asked):
        with pytest.raises(DatasetRejected) as caught:
            build(desk.log(), **asked)
        manifest = caught.value.data["manifest"]
        assert not manifest.validation.success
        assert str(caught.value).startswith("E_LEARN_DATASET_REJECTED")
        assert manifest.validation.failed[0] in caught.value.found
        return manifest.validation.failed

    @staticmethod
    def features(desk, change):
        """Rewrite each signal's features."""
        for number, event in enumerate(desk.events):
            metadata = event.payload.get("metadata")
            if metadata:
                features = change(event.partition_key, event.ts_event, dict(metadata["features"]))
                payload = {**event.payload, "metadata": {"features": features}}
                desk.events[number] = event.model_copy(update={"payload": payload})

    def test_a_feature_from_the_future(self, build, desk):
        closes = {
            (event.partition_key, event.ts_event.date()): event.payload["close"]
            for event in desk.events
            if "close" in event.payload
        }

        def leak(symbol, at, features):
            tomorrow, after = (closes.get((symbol, at.date() + timedelta(days=n))) for n in (1, 2))
            return features | {"ret_1": after / tomorrow - 1 if after else 0.0}

        self.features(desk, leak)
        assert self.failed(build, desk) == ("look_ahead(f_ret_1)",)

    def test_a_constant_feature(self, build, desk):
        self.features(desk, lambda _symbol, _at, features: features | {"vol_20": 0.2})
        assert self.failed(build, desk) == ("constant(f_vol_20)",)

    def test_a_split_that_nobody_adjusted(self, build, desk, close):
        for number, event in enumerate(desk.events):
            if event.partition_key == "S1" and "close" in event.payload and event.ts_event >= close(15):
                payload = {**event.payload, "close": event.payload["close"] / 4}
                desk.events[number] = event.model_copy(update={"payload": payload})
        assert self.failed(build, desk) == ("missed_split(1d)", "missed_split(5d)")

    def test_a_market_that_only_rises(self, build, desk):
        prices = {}
        for number, event in enumerate(desk.events):
            if "close" in event.payload:
                prices[event.partition_key] = prices.get(event.partition_key, 50.0) * (
                    1.001 + number % 7 / 1e4
                )
                payload = {**event.payload, "close": prices[event.partition_key]}
                desk.events[number] = event.model_copy(update={"payload": payload})
        assert self.failed(build, desk) == ("one_class(1d)", "one_class(5d)")

    def test_a_horizon_that_the_log_cannot_label(self, build, desk, window):
        asked = window.model_copy(update={"horizons": (1, 60)})
        assert "no_labels(60d)" in self.failed(build, desk, window=asked)

    def test_too_little_is_no_dataset_at_all(self, build, desk):
        with pytest.raises(DataMissing) as caught:
            build(desk.log(), min_samples=1000)
        assert caught.value.code == "E_LEARN_DATA_MISSING"
