from itertools import combinations

import numpy as np
import purgedcv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import probability_of_overfitting


def by_hand(returns, blocks):
    """The procedure of the paper's section 3, one split after the other."""
    length = len(returns) // blocks
    parts = np.split(returns[len(returns) - blocks * length :], blocks)
    logits, losses = [], []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[i] for i in chosen])
        outside = np.concatenate([parts[i] for i in range(blocks) if i not in chosen])
        winner = np.argmax(inside.mean(axis=0) / inside.std(axis=0, ddof=1))
        ratio = outside.mean(axis=0) / outside.std(axis=0, ddof=1)
        share = rankdata(ratio)[winner] / (returns.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
        losses.append(ratio[winner] < 0)
    return np.array(logits), np.mean(losses)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([2, 4, 6, 8]), st.integers(2, 9), st.integers(0, 5))
def test_it_is_the_procedure_of_the_paper(seed, blocks, candidates, rest):
    returns = np.random.default_rng(seed).normal(0.0002, 0.01, (blocks * 12 + rest, candidates))
    found = probability_of_overfitting(returns, blocks=blocks)
    logits, losses = by_hand(returns, blocks)
    assert found.logits == pytest.approx(logits)
    assert found.probability == np.mean(logits <= 0)
    assert found.loss_probability == losses


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_neither_scale_nor_order_of_candidates_matters(seed, scale):
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0, 0.01, (160, 5))
    shuffled = returns[:, rng.permutation(5)] * rng.uniform(0.5, 2.0, 5) * scale
    one, other = (probability_of_overfitting(sample, blocks=8) for sample in (returns, shuffled))
    assert one.probability == other.probability
    assert one.logits == pytest.approx(other.logits)


def test_choosing_among_worthless_candidates_overfits_at_least_half_the_time():
    # More than half: the median itself counts (6 of 11 ranks), and halves of one sample oppose each other.
    rng = np.random.default_rng(3)
    found = [
        probability_of_overfitting(rng.normal(0, 0.01, (400, 11)), blocks=8).probability for _ in range(200)
    ]
    assert 6 / 11 < np.mean(found) < 0.65


def test_a_candidate_that_is_really_better_is_found_again():
    returns = np.random.default_rng(1).normal(0, 0.01, (1000, 10))
    returns[:, 4] += 0.004
    found = probability_of_overfitting(returns)
    assert found.probability == 0.0
    assert len(found.logits) == 12_870


def test_a_fit_to_the_past_is_called_overfit():
    # Each candidate earns in one eighth of the time what it loses in the rest: the winner is the luckiest.
    rng = np.random.default_rng(2)
    returns = rng.normal(-0.001, 0.002, (800, 8))
    for candidate in range(8):
        returns[candidate * 100 : (candidate + 1) * 100, candidate] += 0.02
    found = probability_of_overfitting(returns, blocks=8)
    assert found.probability == 1.0
    assert found.degradation < 0


@pytest.mark.parametrize(
    ("returns", "blocks", "found"),
    [
        (np.zeros((100, 1)), 4, "nothing was chosen"),
        (np.random.default_rng(0).normal(size=(100, 3)), 5, "5 blocks"),
        (np.random.default_rng(0).normal(size=(100, 3)), 22, "22 blocks"),
        (np.random.default_rng(0).normal(size=(7, 3)), 4, "7 sessions for 4 blocks"),
        (np.full((100, 2), np.nan), 4, "not a finite number"),
        (np.ones((100, 2)), 4, "do not vary"),
    ],
)
def test_what_cannot_be_judged_is_refused(returns, blocks, found):
    with pytest.raises(EvalFailed) as raised:
        probability_of_overfitting(returns, blocks=blocks)
    assert found in raised.value.found


@pytest.mark.parametrize("candidates", [7, 8])
@pytest.mark.parametrize("seed", range(3))
def test_every_split_ranks_its_winner_as_purgedcv_does(candidates, seed):
    """A winner exactly at the median counts as overfitted here and not there; the ranks themselves are the same."""
    returns = np.random.default_rng(seed).normal(0.0, 0.01, (320, candidates))
    ours = probability_of_overfitting(returns, blocks=8)
    theirs = purgedcv.probability_of_backtest_overfitting(returns.T, n_splits=8)
    np.testing.assert_allclose(np.sort(ours.logits), np.sort(theirs.logits), atol=1e-12)
    assert np.mean(ours.logits < 0.0) == pytest.approx(theirs.pbo)
    assert ours.probability >= theirs.pbo
