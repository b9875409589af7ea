import numpy as np
import pytest

from ordinis_learn.errors import EvalFailed
from ordinis_learn.evaluation.block_length import calibrated_block_length, pseudo_sequences


def vector_autoregression(rng, *, periods, phi):
    """Two series that remember, with correlated shocks."""
    shocks = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], size=periods + 100)
    state, rows = np.zeros(2), []
    for shock in shocks:
        state = phi * state + shock
        rows.append(state)
    return 0.0005 + 0.01 * np.array(rows[100:])


def lag_one(series):
    centred = series - series.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))


def test_pseudo_sequences_remember_and_correlate_like_the_pair_they_come_from():
    pair = vector_autoregression(np.random.default_rng(1), periods=3000, phi=0.4)
    drawn = pseudo_sequences(pair, sequences=30, rng=np.random.default_rng(2))
    assert drawn.shape == (30, 3000, 2)
    for column in range(2):
        memory = np.mean([lag_one(one[:, column]) for one in drawn])
        assert memory == pytest.approx(lag_one(pair[:, column]), abs=0.03)
    correlation = np.mean([np.corrcoef(one.T)[0, 1] for one in drawn])
    assert correlation == pytest.approx(np.corrcoef(pair.T)[0, 1], abs=0.03)
    assert drawn.mean(axis=(0, 1)) == pytest.approx(pair.mean(axis=0), abs=5e-4)


def test_an_explosive_pair_is_held_back_so_that_sequences_stay_finite():
    walk = np.cumsum(np.random.default_rng(3).standard_normal((500, 2)), axis=0)
    drawn = pseudo_sequences(walk, sequences=5, rng=np.random.default_rng(4))
    assert np.isfinite(drawn).all()
    assert np.abs(drawn).max() < 50 * np.abs(walk).max()


def test_the_choice_is_the_length_whose_coverage_is_nearest_to_the_level():
    pair = vector_autoregression(np.random.default_rng(5), periods=240, phi=0.0)
    found = calibrated_block_length(pair[:, 0], pair[:, 1], seed=6, sequences=60, draws=99)
    assert found.level == pytest.approx(0.9)
    distance = {length: abs(share - 0.9) for length, share in found.coverage.items()}
    assert distance[found.block_length] == min(distance.values())
    # With independent normal returns no length is far off: three standard errors of 60 sequences.
    assert all(share > 0.9 - 3 * np.sqrt(0.09 / 60) for share in found.coverage.values())
    again = calibrated_block_length(pair[:, 0], pair[:, 1], seed=6, sequences=60, draws=99)
    assert again == found


def test_lengths_that_do_not_fit_are_not_tried_and_none_at_all_is_an_error():
    pair = vector_autoregression(np.random.default_rng(7), periods=80, phi=0.0)
    found = calibrated_block_length(*pair.T, seed=1, sequences=3, draws=19, lengths=(3, 19, 25, 60))
    assert set(found.coverage) == {3, 19}
    with pytest.raises(EvalFailed, match="none of"):
        calibrated_block_length(*pair.T, seed=1, sequences=3, lengths=(60,))
