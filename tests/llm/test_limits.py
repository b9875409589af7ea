"""Retries, rates, costs and recordings, around a model that a test writes."""

from __future__ import annotations

import random
import threading
import time

import pytest

from ordinis_learn.errors import (
    CassetteMissing,
    ConfigInvalid,
    CostCapReached,
    DataCorrupt,
    LlmRejected,
    LlmUnavailable,
)
from ordinis_learn.llm import (
    Cassette,
    ChatAnswer,
    CostCapped,
    EndpointConfig,
    Prices,
    RateLimited,
    Retrying,
    ask_all,
    most_tokens,
    open_chat_model,
)

from .conftest import KEY, completion  # isort: skip


class Scripted:
    """Answers, or raises what its script says next."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []
        self.lock = threading.Lock()

    def complete(self, request):
        with self.lock:
            self.asked.append(request)
            entry = self.script.pop(0) if self.script else 5
        if isinstance(entry, Exception):
            raise entry
        return ChatAnswer(text="{}", model="m", prompt_tokens=10, completion_tokens=entry, latency_ms=1.0)


def busy(wait=0.0, *, charged=False):
    return LlmUnavailable("ask", found="busy", next_step="wait", retry_after_s=wait, charged=charged)


def retrying(model, clock, **more):
    return Retrying(model, sleep=clock.sleep, rng=random.Random(7), **more)  # noqa: S311  jitter


def test_it_asks_again_and_waits_longer_each_time_but_never_shorter_than_told(clock, ask):
    model = Scripted(busy(), busy(9.0), busy(), 5)
    assert retrying(model, clock).complete(ask()).completion_tokens == 5
    assert len(model.asked) == 4
    assert 0 < clock.slept[0] <= 1.0
    assert clock.slept[1] == 9.0
    assert 0 < clock.slept[2] <= 4.0


def test_it_gives_up_after_its_attempts_and_on_a_wait_that_is_too_long(clock, ask):
    model = Scripted(*[busy() for _ in range(9)])
    with pytest.raises(LlmUnavailable):
        retrying(model, clock, attempts=3).complete(ask())
    assert len(model.asked) == 3
    model = Scripted(busy(3600.0))
    with pytest.raises(LlmUnavailable):
        retrying(model, clock).complete(ask())
    assert len(model.asked) == 1


def test_what_is_rejected_is_not_asked_again(clock, ask):
    model = Scripted(LlmRejected("ask", found="status 400", next_step="correct it"))
    with pytest.raises(LlmRejected):
        retrying(model, clock).complete(ask())
    assert clock.slept == []


def limited(model, clock, **limits):
    return RateLimited(model, monotonic=clock.monotonic, sleep=clock.sleep, **limits)


def test_requests_per_minute_hold_over_any_minute(clock, ask):
    model = limited(Scripted(), clock, requests_per_minute=30)
    moments = []
    for _ in range(70):
        model.complete(ask())
        moments.append(clock.now)
    within = max(sum(start <= other < start + 60 for other in moments) for start in moments)
    assert within <= 31  # thirty a minute, and the one that may go at once
    assert clock.now == pytest.approx(69 * 2.0)


def test_tokens_are_taken_at_their_bound_and_given_back(clock, ask):
    model = limited(Scripted(), clock, tokens_per_minute=600)
    for _ in range(10):
        model.complete(ask())
    # 15 tokens an answer at ten a second; only what is over the first second's worth waits, at its bound.
    assert clock.now >= (10 * 15 - 10) / 10 - 1
    assert clock.now < 10 * sum(most_tokens(ask())) / 10


@pytest.mark.parametrize("used", [1, 25, 50])
def test_the_cap_is_never_exceeded_and_says_so(ask, used):
    prices = Prices(prompt=1000.0, completion=2000.0)
    model = Scripted(*[used] * 1000)
    capped = CostCapped(model, prices=prices, cap=1.0)
    with pytest.raises(CostCapReached) as caught:
        [capped.complete(ask()) for _ in range(1000)]
    paid = len(model.asked) * prices.of(prompt_tokens=10, completion_tokens=used)
    assert capped.spent == pytest.approx(paid)
    assert paid <= 1.0
    assert "LEARN_LLM_COST_CAP" in caught.value.next_step


def test_the_cap_holds_among_threads(ask):
    prices = Prices(prompt=0.0, completion=2000.0)

    class Slow(Scripted):
        def complete(self, request):
            time.sleep(0.01)
            return super().complete(request)

    model = Slow(*[50] * 100)
    capped = CostCapped(model, prices=prices, cap=1.0)
    kept = []
    with pytest.raises(CostCapReached):
        ask_all(capped, [ask(f"{n}") for n in range(40)], concurrency=8, keep=lambda *pair: kept.append(pair))
    assert len(model.asked) == 10  # each may cost 0.1
    assert len(kept) == 10
    assert capped.spent == pytest.approx(1.0)


def test_an_attempt_that_broke_off_counts_one_that_was_turned_away_does_not(ask):
    capped = CostCapped(
        Scripted(busy(charged=True), busy()), prices=Prices(prompt=0.0, completion=2000.0), cap=1.0
    )
    for spent in (0.1, 0.1):
        with pytest.raises(LlmUnavailable):
            capped.complete(ask())
        assert capped.spent == pytest.approx(spent)


def test_a_request_without_a_bound_cannot_be_capped(ask):
    capped = CostCapped(Scripted(), prices=Prices(prompt=1.0, completion=1.0), cap=1.0)
    with pytest.raises(ConfigInvalid, match="max_tokens"):
        capped.complete(ask(max_tokens=None))


def test_what_was_recorded_is_replayed_and_nothing_else(tmp_path, ask):
    model = Scripted()
    recording = Cassette(model, folder=tmp_path, mode="auto")
    first = recording.complete(ask("one"))
    assert recording.complete(ask("one")) == first
    assert len(model.asked) == 1
    replay = Cassette(None, folder=tmp_path, mode="replay")
    assert replay.complete(ask("one")) == first
    with pytest.raises(CassetteMissing) as caught:
        replay.complete(ask("two"))
    assert caught.value.data["request_hash"] == ask("two").request_hash()
    assert "two" in caught.value.found


def test_a_recording_that_was_changed_is_found_out(tmp_path, ask):
    Cassette(Scripted(), folder=tmp_path, mode="auto").complete(ask("one"))
    [path] = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes().replace(b"one", b"eno"))
    with pytest.raises(DataCorrupt):
        Cassette(None, folder=tmp_path, mode="replay").complete(ask("one"))


def test_no_secret_is_recorded(endpoint, tmp_path, ask):
    endpoint.script = [(200, {"X-Api-Key": KEY, "Set-Cookie": KEY}, completion("{}"))]
    config = EndpointConfig(url=endpoint.url, api_key=KEY, cassette=tmp_path)
    assert KEY not in repr(config)
    open_chat_model(config).complete(ask())
    [path] = tmp_path.rglob("*.json")
    assert KEY.encode() not in path.read_bytes()
    assert str(endpoint.server_port).encode() not in path.read_bytes()


def test_the_whole_way_through_a_bad_day(endpoint, tmp_path, ask):
    endpoint.script = [
        (429, {"Retry-After": "0"}, b""),
        (500, {}, b"oops"),
        (200, {}, completion()[:-9]),
        (200, {}, completion('{"fine": true}')),
    ]
    config = EndpointConfig(
        url=endpoint.url, cassette=tmp_path, prices=Prices(prompt=1.0, completion=1.0), cost_cap=1.0
    )
    assert open_chat_model(config).complete(ask()).text == '{"fine": true}'
    assert len(endpoint.asked) == 4
    replay = EndpointConfig(cassette=tmp_path, cassette_mode="replay")
    assert open_chat_model(replay).complete(ask()).text == '{"fine": true}'


@pytest.mark.parametrize("config", [{}, {"url": "http://127.0.0.1:9/v1", "cost_cap": 1.0}])
def test_what_is_missing_is_named_before_anything_is_sent(config):
    with pytest.raises(ConfigInvalid):
        open_chat_model(EndpointConfig(**config))


def test_no_more_are_under_way_than_allowed_and_a_rejected_one_does_not_stop_the_rest(endpoint, model, ask):
    def answer(asked):
        time.sleep(0.02)
        if asked["messages"][0]["content"] == "3":
            return 400, {}, b'{"error": {"message": "too long"}}'
        return 200, {}, completion(asked["messages"][0]["content"])

    endpoint.script = [answer]
    kept = {}
    ask_all(
        model,
        [ask(f"{n}") for n in range(12)],
        concurrency=3,
        keep=lambda request, answer: kept.update({request.messages[0].content: answer}),
    )
    assert endpoint.busiest <= 3
    assert len(kept) == 12
    assert isinstance(kept.pop("3"), LlmRejected)
    assert all(answer.text == text for text, answer in kept.items())


def test_the_first_that_stays_away_stops_the_rest(ask):
    model = Scripted(5, 5, *[busy() for _ in range(50)])
    kept = []
    with pytest.raises(LlmUnavailable):
        ask_all(model, [ask(f"{n}") for n in range(50)], concurrency=1, keep=lambda *pair: kept.append(pair))
    assert len(kept) == 2
    assert len(model.asked) < 50
