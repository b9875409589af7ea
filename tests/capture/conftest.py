import os
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import strategies as st

from ordinis_learn.records import Topic

MOMENT = "2024-01-02T21:00:00Z"
TAGS = {"instrument_type": "equity", "venue": "sim", "jurisdiction": "US", "env": "dev"}


@pytest.fixture
def bar():
    """Make a bar event, with fields of the envelope and of the payload replaced."""

    def make(event_id="bar-1", *, payload=None, **fields):
        body = {"symbol": "KO", "tf": "1d", "ts": MOMENT, "session": "2024-01-02", "close": 59.8}
        return {
            "event_id": event_id,
            "event_type": "ordinis.market.bar.closed",
            "schema_version": "1.0.0",
            "ts_event": MOMENT,
            "ts_ingest": MOMENT,
            "source": "test",
            "correlation_id": "c-1",
            "partition_key": "KO",
            "payload": body | (payload or {}),
            "tags": dict(TAGS),
        } | fields

    return make


@pytest.fixture
def signal(bar):
    """Make a signal event with one feature, with fields of the payload replaced."""

    def make(event_id="signal-1", **payload):
        body = {
            "signal_id": "s-1",
            "symbol": "KO",
            "direction": "LONG",
            "confidence": 0.5,
            "horizon": "5d",
            "model_id": "rule_v1",
            "strategy_id": "test",
            "feature_version": "close_v1",
            "metadata": {"features": {"z_20": 0.25}},
        }
        event = bar(event_id, event_type="ordinis.signals.generated")
        return event | {"payload": body | payload}

    return make


@pytest.fixture(scope="session")
def postgres_server():
    """The address of a database of the tests' own, dropped afterwards."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    server = os.environ.get("ORDINIS_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    try:
        admin = psycopg.connect(server, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {str(error).splitlines()[0]}")
    name = f"ordinis_capture_{os.getpid()}_{time.time_ns()}"
    admin.execute(f"CREATE DATABASE {name}")
    yield server.rsplit("/", 1)[0] + f"/{name}"
    admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def postgres(postgres_server):
    """The address of a database without a log."""
    import psycopg

    with psycopg.connect(postgres_server) as connection:
        connection.execute("DROP SCHEMA IF EXISTS ordinis_events CASCADE")
    return postgres_server


@pytest.fixture
def open_log(request, clock):
    """Open a log of a kind below a folder; logs are closed afterwards."""
    from ordinis_learn.capture import open_event_log
    from ordinis_learn.testing import InMemoryEventLog

    opened = []

    def open_one(kind, folder):
        if kind == "memory":
            return InMemoryEventLog(clock=clock)
        url = request.getfixturevalue("postgres") if kind == "postgres" else None
        log = open_event_log(url, path=folder / "events.db", sealed=folder / "events", clock=clock)
        opened.append(log)
        return log

    yield open_one
    for log in opened:
        log.close()


@pytest.fixture
def clock():
    """A clock that moves one second at each look."""
    now = datetime(2024, 1, 3, tzinfo=UTC)

    def tick():
        nonlocal now
        now += timedelta(seconds=1)
        return now

    return tick


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
POSITIVE = st.floats(min_value=1e-300, allow_infinity=False) | st.integers(1, 10**25)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
FEATURES = st.dictionaries(NAMES, NUMBERS, max_size=4)


@st.composite
def moments(draw):
    """Draw an aware moment, spelled in one of the ways that RFC 3339 and pydantic know."""
    moment = draw(st.datetimes(datetime(1930, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001
    digits = draw(st.sampled_from(["", ".5", ".123456", ".1234567", ".999999999"]))
    offset = draw(st.sampled_from(["Z", "z", "+00:00", "+05:30", "-0800", "-03:30", "+14:00"]))
    between = draw(st.sampled_from(["T", "T", " ", "t"]))
    return f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{digits}{offset}"


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


def merged(*parts):
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


FILLS = st.fixed_dictionaries(
    {"fill_id": NAMES, "ts": moments(), "qty": POSITIVE, "price": POSITIVE},
    optional={"fee": st.floats(0, 1e9)},
)
GOOD_PAYLOADS = {
    Topic.SIGNAL: merged(
        st.fixed_dictionaries(
            {
                "signal_id": NAMES,
                "symbol": NAMES,
                "direction": st.sampled_from(["LONG", "SHORT", "FLAT"]),
                "confidence": st.floats(0, 1) | st.integers(0, 1),
                "horizon": st.sampled_from(["1d", "5d", "20d", "30m"]),
                "model_id": NAMES,
                "strategy_id": NAMES,
                "feature_version": NAMES,
            }
        ),
        optional(
            ttl_ms=st.integers(1, 10**22),
            metadata=OBJECTS | st.fixed_dictionaries({"features": FEATURES | FEATURES, "note": VALUES}),
        ),
    ),
    Topic.FEATURES: merged(
        st.fixed_dictionaries({"symbol": NAMES, "tf": NAMES, "feature_version": NAMES, "features": FEATURES}),
        optional(window_ref=st.none() | st.text(max_size=5)),
    ),
    Topic.RISK: merged(
        st.fixed_dictionaries(
            {
                "signal_id": NAMES,
                "allowed": st.booleans(),
                "policy_version": NAMES,
                "risk_snapshot_ref": NAMES,
            }
        ),
        optional(
            adjustments=OBJECTS,
            reasons=st.lists(st.sampled_from(["RISK.LIMIT.SIZE", "RISK.HALT.SYMBOL"]), max_size=2),
        ),
    ),
    Topic.INTENT: st.fixed_dictionaries(
        {
            "order_id": NAMES,
            "signal_id": NAMES,
            "symbol": NAMES,
            "side": st.sampled_from(["buy", "sell"]),
            "qty": POSITIVE,
        }
    ),
    Topic.EXECUTION: merged(
        st.fixed_dictionaries({"order_id": NAMES, "status": st.sampled_from(["filled", "canceled"])}),
        optional(
            fills=st.lists(FILLS, max_size=2),
            avg_price=st.none() | NUMBERS,
            fees=st.floats(0, 1e9),
            slippage=NUMBERS,
            raw_broker_ref=st.none() | st.text(max_size=5),
        ),
    ),
    Topic.PORTFOLIO: merged(
        st.fixed_dictionaries({"ts": moments(), "cash": NUMBERS, "equity": NUMBERS}),
        optional(positions=st.lists(OBJECTS, max_size=2), exposures=FEATURES, pnl=FEATURES),
    ),
    Topic.ANALYTICS: merged(
        st.fixed_dictionaries({"run_id": NAMES, "period": NAMES, "metrics": FEATURES}),
        optional(narrative_ref=st.none() | NAMES, artifacts=st.dictionaries(NAMES, NAMES, max_size=2)),
    ),
    Topic.AI_RESPONSE: merged(
        st.fixed_dictionaries({"model_used": NAMES, "latency_ms": st.floats(0, 1e9), "request_hash": NAMES}),
        optional(
            token_usage=st.dictionaries(NAMES, st.integers(-(10**20), 10**20), max_size=2),
            output=OBJECTS,
            text=st.none() | st.text(max_size=8),
            citations=st.lists(OBJECTS, max_size=2),
            safety_findings=st.lists(OBJECTS, max_size=2),
        ),
    ),
    Topic.AI_REFUSAL: merged(
        st.fixed_dictionaries({"refusal_reason": NAMES}),
        optional(policy_ref=st.none() | NAMES, request_hash=st.none() | NAMES),
    ),
    Topic.AI_FEEDBACK: merged(
        st.fixed_dictionaries({"request_hash": NAMES, "grade": st.floats(0, 1), "grader": NAMES}),
        optional(relevant=st.lists(OBJECTS, max_size=2), comment=st.none() | st.text(max_size=8)),
    ),
    Topic.BAR: merged(
        st.fixed_dictionaries(
            {
                "symbol": NAMES,
                "tf": NAMES,
                "ts": moments(),
                "session": st.dates().map(str),
                "close": POSITIVE,
            }
        ),
        optional(
            open=st.none() | POSITIVE,
            high=POSITIVE,
            low=POSITIVE,
            volume=st.floats(0, 1e12),
            split_factor=st.none() | POSITIVE,
            dividend=st.none() | st.floats(0, 1e6),
        ),
    ),
}


@st.composite
def good_events(draw, topic=None):
    """Draw an event that the record models accept."""
    topic = topic or draw(st.sampled_from(list(Topic)))
    event = {
        "event_id": draw(NAMES),
        "event_type": topic.value,
        "ts_event": draw(moments()),
        "ts_ingest": draw(moments()),
        "source": draw(NAMES),
        "correlation_id": draw(NAMES),
        "partition_key": draw(NAMES),
        "payload": draw(GOOD_PAYLOADS[topic]),
        "tags": TAGS | draw(st.dictionaries(NAMES, st.text(max_size=5), max_size=2)),
    }
    texts = st.none() | st.text(max_size=6)
    more = optional(
        schema_version=st.sampled_from(["1.0.0", "1.0.9", "1.3.0"]),
        trace_id=st.text(max_size=6),
        span_id=st.text(max_size=6),
        parent_span_id=texts,
        idempotency_key=texts,
        sig=texts,
    )
    return event | draw(more)


@pytest.fixture(scope="session")
def events():
    """Give the strategy of good events; ``events(topic)`` draws one type only."""
    return good_events
