"""A small desk whose events lie in a log in memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from ordinis_learn.datasets import DatasetBuilder
from ordinis_learn.records import DatasetWindow, Envelope, Topic
from ordinis_learn.testing import InMemoryEventLog

NOW = datetime(2003, 1, 1, tzinfo=UTC)
FIRST = date(2001, 1, 1)
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}


def clock():
    return NOW


def close_of(day):
    return datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), tzinfo=UTC) + timedelta(
        hours=21
    )


class Desk:
    """Daily bars of a few symbols, and a signal per symbol and day that is allowed, ordered and filled."""

    def __init__(self, *, seed=0, symbols=4, days=40):
        self.events: list[Envelope] = []
        rng = np.random.default_rng(seed)
        returns = rng.normal(0.0, 0.02, (days, symbols))
        closes = 50.0 * np.exp(np.cumsum(returns, axis=0))
        for day in range(days):
            for number in range(symbols):
                self.bar(f"S{number}", day, float(closes[day, number]))
            for number in range(symbols):
                self.trade(
                    f"S{number}", day, ret_1=float(returns[day, number]), price=float(closes[day, number])
                )

    def add(self, topic, payload, *, event_id, at, symbol, cycle="c"):
        self.events.append(
            Envelope(
                event_id=event_id,
                event_type=topic,
                ts_event=at,
                ts_ingest=at,
                source="test",
                correlation_id=cycle,
                partition_key=symbol,
                payload=payload,
                tags=TAGS,
            )
        )

    def bar(self, symbol, day, price):
        session = (FIRST + timedelta(days=day)).isoformat()
        told = close_of(day).isoformat()
        payload = {"symbol": symbol, "tf": "1d", "ts": told, "session": session, "close": price}
        self.add(Topic.BAR, payload, event_id=f"bar-{symbol}-{day}", at=close_of(day), symbol=symbol)

    def signal(self, signal_id, symbol, day, *, event_id, features, direction="LONG"):
        payload = {
            "signal_id": signal_id,
            "symbol": symbol,
            "direction": direction,
            "confidence": 0.6,
            "horizon": "5d",
            "model_id": "m",
            "strategy_id": "s",
            "feature_version": "v1",
            "metadata": {"features": features},
        }
        self.add(Topic.SIGNAL, payload, event_id=event_id, at=close_of(day), symbol=symbol)

    def trade(self, symbol, day, *, ret_1, price):
        name = f"{symbol}-{day:03d}"
        direction = ["LONG", "SHORT", "FLAT"][day % 3]
        features = {"ret_1": ret_1, "vol_20": 0.2 + 0.001 * day}
        self.signal(
            f"sig-{name}", symbol, day, event_id=f"made-{name}", features=features, direction=direction
        )
        at = close_of(day)
        judged = {"policy_version": "p1", "risk_snapshot_ref": "r1"}
        risk = {"signal_id": f"sig-{name}", "allowed": day % 5 > 0, **judged}
        self.add(Topic.RISK, risk, event_id=f"risk-{name}", at=at, symbol=symbol)
        if day % 5 == 0:
            return
        side = "sell" if direction == "SHORT" else "buy"
        order = {"symbol": symbol, "side": side, "qty": 3.0}
        intent = {"order_id": f"ord-{name}", "signal_id": f"sig-{name}", **order}
        self.add(Topic.INTENT, intent, event_id=f"intent-{name}", at=at, symbol=symbol)
        at = close_of(day + 1)
        fill = {"fill_id": f"fill-{name}", "ts": at.isoformat(), "qty": 3.0, "price": price, "fee": 0.1}
        report = {"order_id": f"ord-{name}", "status": "filled", "fills": [fill], "slippage": 0.0005}
        self.add(Topic.EXECUTION, report, event_id=f"report-{name}", at=at, symbol=symbol)

    def log(self, *, order=None, until=None):
        log = InMemoryEventLog(clock=clock)
        events = self.events if order is None else [self.events[n] for n in order]
        log.append([event for event in events if until is None or event.ts_event <= until])
        return log


@pytest.fixture(scope="session")
def new_desk():
    """The class itself, for tests that build their own."""
    return Desk


@pytest.fixture(scope="session")
def close():
    return close_of


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def window():
    return DatasetWindow(start="2001-01-03", end="2001-01-31", horizons=("1d", "5d"), calendar="24/7")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "datasets"


@pytest.fixture
def build(root, window):
    """Build ``core`` from a log; the window can be given."""

    def run(log, *, window=window, dataset_id="core", min_samples=50):
        builder = DatasetBuilder(log, root=root, min_samples=min_samples, code_commit="0" * 40, clock=clock)
        return builder.build(dataset_id, window)

    return run
