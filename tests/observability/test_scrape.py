"""Scraping: all of a source or nothing, names and labels known beforehand, in a format that a parser reads."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from ordinis_learn.errors import DataCorrupt, StoreUnavailable
from ordinis_learn.observability import FAMILIES, MAX_LABEL_VALUES, OTHER, LazySource, Scraper, Vocabulary
from ordinis_learn.observability._prometheus import Exposition, is_loopback, metrics_server
from ordinis_learn.ports import Sample


class Source:
    """Says what it is given; an error in the list is raised when its turn comes."""

    def __init__(self, name, *said):
        self.name = name
        self.said = said

    def samples(self):
        for one in self.said:
            if isinstance(one, Exception):
                raise one
            yield one


def scraper(*sources):
    return Scraper(sources, timer=lambda: 0.0)


def parsed(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


GONE = StoreUnavailable("read", found="gone", next_step="wait")


@pytest.mark.parametrize("error", [GONE, DataCorrupt("read", found="x", next_step="y"), KeyError("decision")])
def test_a_source_that_fails_midway_says_nothing_but_that(error):
    broken = Source("ledger", Sample("learn_ledger_records_total", {}, 7), error)
    found = scraper(broken, Source("outbox", Sample("learn_outbox_pending", {}, 3))).scrape()
    assert "learn_ledger_records_total" not in found
    assert found["learn_outbox_pending"] == {(): 3}
    assert found["learn_scrape_error"] == {("ledger",): 1.0, ("outbox",): 0.0}


def test_a_metric_that_is_not_declared_is_a_mistake_of_ours():
    with pytest.raises(KeyError, match="learn_made_up"):
        scraper(Source("ledger", Sample("learn_made_up", {}, 1))).scrape()


def test_labels_are_bounded_and_counters_keep_their_sum():
    said = [
        Sample("learn_eval_total", {"pack": f"p{number}", "status": "succeeded"}, 1)
        for number in range(MAX_LABEL_VALUES + 25)
    ]
    scores = [
        Sample("learn_drift_breached", {"model": f"m{number}"}, 1) for number in range(MAX_LABEL_VALUES + 25)
    ]
    found = scraper(Source("catalogue", *said, *scores)).scrape()
    evaluations = found["learn_eval_total"]
    assert len(evaluations) == MAX_LABEL_VALUES + 1
    assert evaluations[OTHER, "succeeded"] == 25
    assert sum(evaluations.values()) == len(said)
    assert len(found["learn_drift_breached"]) == MAX_LABEL_VALUES


@given(st.lists(st.text(max_size=3)), st.integers(1, 5))
def test_a_vocabulary_never_changes_its_mind(words, limit):
    known = Vocabulary(limit=limit)
    first = {word: known.word(word) for word in words}
    assert {word: known.word(word) for word in words} == first
    assert len(set(first.values()) - {OTHER}) <= limit


_VALUES = st.text(alphabet=st.characters(blacklist_categories=("Cs",)), max_size=20)


@given(model=_VALUES, value=st.floats(allow_nan=False))
def test_what_is_written_is_what_a_parser_reads(model, value):
    said = Sample("learn_drift_score", {"model": model, "metric": "psi"}, value)
    text = Exposition(scraper(Source("catalogue", said))).render()[0].decode()
    labels = (("metric", "psi"), ("model", model))
    expected = value if model != OTHER else None
    assert parsed(text).get(("learn_drift_score", labels)) == expected


def test_families_are_named_by_the_rules():
    for name, family in FAMILIES.items():
        assert name.startswith("learn_")
        assert name.endswith("_total") == (family.kind == "counter")
        assert family.help.endswith(".")


def test_a_source_is_opened_late_and_anew_after_a_failure():
    opened = []

    def opening():
        opened.append(1)
        if len(opened) == 1:
            raise GONE
        said = GONE if len(opened) == 2 else Sample("learn_outbox_pending", {}, 5)
        return Source("outbox", said)

    watcher = scraper(LazySource("outbox", opening))
    assert not opened
    assert [watcher.scrape()["learn_scrape_error"]["outbox",] for _ in range(4)] == [1, 1, 0, 0]
    assert len(opened) == 3


@contextmanager
def served(token=None):
    exposition = Exposition(scraper(Source("outbox", Sample("learn_outbox_pending", {}, 3))))
    with metrics_server(exposition, host="127.0.0.1", port=0, token=token) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def ask(url, **request):
    return urllib.request.urlopen(urllib.request.Request(url, **request))  # noqa: S310  a server of this test


def get(url, **headers):
    with ask(url, headers=headers) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_the_endpoint_answers_in_the_format_that_is_asked_for():
    with served() as url:
        plain, text = get(f"{url}/metrics")
        assert plain.startswith("text/plain")
        assert parsed(text)["learn_outbox_pending", ()] == 3
        open_metrics, text = get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
        assert open_metrics.startswith("application/openmetrics-text")
        assert text.endswith("# EOF\n")
        for path, method, code in (("/other", "GET", 404), ("/metrics", "POST", 405)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                ask(url + path, method=method)
            assert refused.value.code == code
            refused.value.close()


def test_with_a_token_nobody_else_is_answered():
    with served(token="a secret of sixteen") as url:
        for header in ("", "Bearer wrong", "Basic a secret of sixteen", "a secret of sixteen"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                get(f"{url}/metrics", Authorization=header)
            assert refused.value.code == 401
            assert b"learn_" not in refused.value.read()
            refused.value.close()
        assert (
            "learn_outbox_pending 3" in get(f"{url}/metrics", Authorization="Bearer a secret of sixteen")[1]
        )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104
        ("192.0.2.1", False),
        ("no such host.invalid", False),
    ],
)
def test_only_loopback_is_loopback(host, expected):
    assert is_loopback(host) is expected
