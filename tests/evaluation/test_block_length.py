import numpy as np
import pytest

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation import calibrated_block_length, pseudo_sequences


def test_pseudo_sequences_keep_mean_spread_and_autocorrelation():
    rng = np.random.default_rng(0)
    series = np.zeros((3000, 2))
    for t in range(1, 3000):
        series[t] = 0.4 * series[t - 1] + rng.normal(0, 0.01, 2)
    drawn = pseudo_sequences(series, sequences=20, rng=rng)
    assert drawn.shape == (20, 3000, 2)
    assert drawn.std() == pytest.approx(series.std(), rel=0.05)
    lagged = np.mean([np.corrcoef(one[1:, 0], one[:-1, 0])[0, 1] for one in drawn])
    assert lagged == pytest.approx(0.4, abs=0.05)


def test_the_length_is_the_one_that_covers_as_it_says_and_the_seed_repeats():
    rng = np.random.default_rng(1)
    market = rng.normal(0.0003, 0.01, 250)
    subject = market + rng.normal(0, 0.004, 250)
    found, again = (calibrated_block_length(subject, market, seed=3, sequences=30) for _ in range(2))
    assert found == again
    distance = {length: abs(share - 0.9) for length, share in found.coverage.items()}
    assert distance[found.block_length] == pytest.approx(min(distance.values()))


def test_no_length_that_fits_is_refused():
    returns = np.random.default_rng(2).normal(size=(2, 80))
    with pytest.raises(EvalFailed, match="quarter of the sessions"):
        calibrated_block_length(*returns, seed=1, lengths=(40,))
