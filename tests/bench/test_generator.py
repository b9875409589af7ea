from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ordinis_learn.bench import PackSpec, generate_pack, manifest_hash_of, prices_sha256
from ordinis_learn.errors import BenchDataMissing
from ordinis_learn.market import WARM_UP_SESSIONS, compute_features
from ordinis_learn.records import Regime


def test_the_same_seed_gives_the_same_pack(generated, history, spec):
    again, prices = generate_pack(history, spec)
    assert again == generated[0]
    assert prices_sha256(prices) == generated[0].data_sha256


def test_another_seed_gives_other_windows_on_the_same_prices(generated, history, spec):
    other, _ = generate_pack(history, spec.model_copy(update={"seed": 8}))
    assert other.windows != generated[0].windows
    assert other.data_sha256 == generated[0].data_sha256
    assert other.manifest_hash != generated[0].manifest_hash


def test_windows_are_spread_over_the_lengths_and_start_on_a_session(generated):
    manifest, prices = generated
    drawn = [window for window in manifest.windows if window.stress is None]
    assert Counter(window.months for window in drawn) == {3: 13, 6: 13, 9: 12, 12: 12}
    assert len({window.window_id for window in manifest.windows}) == len(manifest.windows)
    for window in manifest.windows:
        inside = prices.between(window.start, window.end)
        assert (inside.sessions[0].item(), inside.sessions[-1].item()) == (window.start, window.end)
        if window.stress is None:
            assert len(inside.sessions) == 21 * window.months


def test_prices_hold_the_warm_up_and_nothing_after_the_end(generated):
    manifest, prices = generated
    assert prices.sessions[WARM_UP_SESSIONS].item() == manifest.start == date(2007, 1, 3)
    assert prices.sessions[-1].item() == manifest.end == date(2021, 12, 31)
    assert compute_features(prices).complete[WARM_UP_SESSIONS:].all()


def test_stress_windows_are_added_only_when_asked(generated, history, spec):
    manifest, _ = generated
    named = {window.stress: window for window in manifest.windows if window.stress}
    assert set(named) == {"crisis_2008", "downgrade_2011", "rates_2018", "covid_2020"}
    assert Regime.BEAR in named["crisis_2008"].regimes
    assert Regime.VOL_SPIKE in named["covid_2020"].regimes
    without, _ = generate_pack(history, spec.model_copy(update={"include_stress": False}))
    assert not any(window.stress for window in without.windows)


def test_the_hash_covers_every_field(generated):
    manifest, _ = generated
    assert manifest.manifest_hash == manifest_hash_of(manifest)
    assert manifest_hash_of(manifest.model_copy(update={"seed": 99})) != manifest.manifest_hash


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    months=st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True).map(tuple),
    windows=st.integers(1, 30),
    years=st.integers(3, 20),
)
def test_every_window_lies_in_the_span(history, seed, months, windows, years):
    spec = PackSpec(seed=seed, months=months, windows=windows, years_lookback=years)
    manifest, prices = generate_pack(history, spec)
    assert sum(window.stress is None for window in manifest.windows) == windows
    assert all(manifest.start <= window.start <= window.end <= manifest.end for window in manifest.windows)
    assert all(window.regimes for window in manifest.windows)
    assert prices_sha256(prices) == manifest.data_sha256


def test_later_prices_do_not_change_a_pack(generated, history, spec):
    """A pack that ends in 2021 is the same whether or not 2022 has been captured yet."""
    early = history.between(date(1990, 1, 1), date(2021, 12, 31))
    assert generate_pack(early, spec)[0] == generated[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"years_lookback": 40},
        {"end": date(2030, 1, 1)},
        {"end": date(1990, 6, 1), "years_lookback": 1},
        {"months": (12,), "years_lookback": 1, "windows": 2},
    ],
)
def test_too_little_history_is_refused_with_what_to_do(history, changes):
    with pytest.raises(BenchDataMissing) as caught:
        generate_pack(history, PackSpec(**changes))
    assert caught.value.code == "E_BENCH_DATA_MISSING"
    assert caught.value.next_step


def test_without_strict_the_span_starts_where_the_history_allows(history):
    manifest, _ = generate_pack(history, PackSpec(years_lookback=40, strict=False))
    assert manifest.start == history.sessions[WARM_UP_SESSIONS].item()


def test_a_missing_close_is_named_or_tolerated(history, spec):
    close = history.close.copy()
    close[-500, 3] = np.nan
    holed = replace(history, close=close)
    with pytest.raises(BenchDataMissing) as caught:
        generate_pack(holed, spec)
    assert caught.value.data["symbols"] == ["BBY"]
    manifest, prices = generate_pack(holed, spec.model_copy(update={"strict": False}))
    assert np.isnan(prices.close).sum() == 1
    assert manifest.data_sha256 == prices_sha256(prices)


@pytest.fixture(scope="module")
def gapped(history):
    """BBY lacks one close, KO all of them, and nobody captured TSLA."""
    close = history.close.copy()
    close[-500, 3] = np.nan
    close[:, history.symbols.index("KO")] = np.nan
    return replace(history, close=close)


SPEC_HASH = "3b18a312e8fde469017611e9d342b54df18bd0764ff9f8d6ef6cc46d411fcb9c"
PACK_HASH = "417fc3c217cc87f10b50203388b9fd4ff12268954e4f5722f684515d01cb2946"
ASKED = ("AAPL", "BBY", "KO", "TSLA", "WMT")


def test_missing_symbols_are_named_with_their_reason(gapped, spec):
    with pytest.raises(BenchDataMissing) as caught:
        generate_pack(gapped, spec.model_copy(update={"universe": ASKED}))
    assert caught.value.data["symbols"] == ["TSLA", "BBY", "KO"]
    assert "TSLA: no bar was captured; BBY: 1 of 4030 closes missing, the first on" in caught.value.found


def test_missing_symbols_are_dropped_and_recorded(gapped, spec):
    dropping = spec.model_copy(update={"universe": ASKED, "strictness": "drop"})
    manifest, prices = generate_pack(gapped, dropping)
    assert prices.symbols == manifest.universe == ("AAPL", "WMT")
    assert set(manifest.dropped_symbols) == {"BBY", "KO", "TSLA"}
    assert manifest.manifest_hash == manifest_hash_of(manifest)
    assert manifest_hash_of(manifest.model_copy(update={"dropped_symbols": {}})) != manifest.manifest_hash
    lenient, _ = generate_pack(gapped, dropping.model_copy(update={"strict": False}))
    assert set(lenient.dropped_symbols) == {"KO", "TSLA"}  # a gap is no trade in that cell
    assert {window.window_id for window in manifest.windows} == {w.window_id for w in lenient.windows}


def test_a_pack_without_any_symbol_is_refused(gapped, spec):
    with pytest.raises(BenchDataMissing, match="none of 2 symbols"):
        generate_pack(gapped, spec.model_copy(update={"universe": ("KO", "TSLA"), "strictness": "drop"}))


def test_what_is_new_leaves_packs_and_specs_as_they_were(generated, spec):
    """The hashes were printed by the release before strictness."""
    assert spec.content_hash() == SPEC_HASH
    assert generated[0].manifest_hash == PACK_HASH
    assert "dropped_symbols" not in generated[0].to_json()


def test_a_hole_in_the_index_is_refused_even_without_strict(history, spec):
    index = history.index_close.copy()
    index[-500] = np.nan
    with pytest.raises(BenchDataMissing):
        generate_pack(replace(history, index_close=index), spec.model_copy(update={"strict": False}))


def test_an_empty_history_is_refused(history, spec):
    nothing = history.between(date(1980, 1, 1), date(1980, 12, 31))
    with pytest.raises(BenchDataMissing):
        generate_pack(nothing, spec)


@pytest.mark.parametrize(
    "fields",
    [{"pack_id": "../up"}, {"pack_id": ""}, {"windows": 0}, {"months": ()}, {"seed": -1}, {"months": (0,)}],
)
def test_a_senseless_spec_is_refused(fields):
    with pytest.raises(ValidationError):
        PackSpec(**fields)
