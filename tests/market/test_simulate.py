import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.market import RuleParameters, compute_features, rule_signals, simulate_history

COST = 6e-4


def annual_sharpe(history, direction, *, first):
    """Trade equal weights decided every fifth close, entered at the next one; 6 bps of turnover."""
    returns = np.diff(history.close, axis=0, prepend=history.close[:1]) / history.close
    weights = np.zeros(len(history.symbols))
    earned = []
    for session in range(first, len(returns)):
        earned.append(weights @ returns[session])
        if session % 5 == 1:
            target = direction[session - 1] / len(weights)
            earned[-1] -= COST * np.abs(target - weights).sum()
            weights = target
    return np.mean(earned) / np.std(earned, ddof=1) * 252**0.5


def cells(cube):
    z_20, vol_ratio = (cube.values[:, :, cube.names.index(name)] for name in ("z_20", "vol_ratio"))
    return 5 * np.digitize(z_20, [-1.2, -0.4, 0.4, 1.2]) + np.digitize(vol_ratio, [0.8, 0.95, 1.05, 1.2])


def learn_cells(history, cube, *, until):
    """Learn the sign of the mean forward return in 25 cells of (z_20, vol_ratio): no knowledge of the planted form."""
    forward = history.close[6:until] / history.close[1 : until - 5] - 1.0
    cell = cells(cube)
    known = cell[253 : until - 6]
    means = np.array(
        [forward[253:][known == number].mean() if (known == number).any() else 0.0 for number in range(25)]
    )
    return np.where(np.abs(means) > 2 * COST, np.sign(means), 0.0)[cell]


def rule_directions(cube):
    sessions, symbols, features = cube.values.shape
    rows = cube.values.reshape(-1, features)
    return rule_signals(rows, names=cube.names, parameters=RuleParameters())[0].reshape(sessions, symbols)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_learner_finds_the_planted_edge_and_the_rule_does_not(seed):
    history = simulate_history(sessions=2000, symbols=20, seed=seed, edge=0.004)
    cube = compute_features(history)
    learned = annual_sharpe(history, learn_cells(history, cube, until=1000), first=1000)
    rule = annual_sharpe(history, rule_directions(cube), first=1000)
    assert learned - rule > 1.0
    assert rule < 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_edge_is_gone_after_the_shift(seed):
    history = simulate_history(sessions=2500, symbols=20, seed=seed, edge=0.004, shift_at=1250)
    learned = learn_cells(history, compute_features(history), until=1200)
    assert (
        annual_sharpe(history, learned, first=1300)
        < 1.5
        < annual_sharpe(
            history.between(history.sessions[0].item(), history.sessions[1249].item()),
            learned[:1250],
            first=600,
        )
    )


def test_without_an_edge_there_is_little_to_learn():
    history = simulate_history(sessions=2000, symbols=20, seed=4)
    learned = learn_cells(history, compute_features(history), until=1000)
    assert abs(annual_sharpe(history, learned, first=1000)) < 1.5


def test_features_move_at_the_shift():
    history = simulate_history(sessions=1600, symbols=10, seed=1, shift_at=1000)
    cube = compute_features(history)
    vol_20 = cube.values[:, :, cube.names.index("vol_20")]
    assert np.median(vol_20[1100:]) > 2.0 * np.median(vol_20[300:1000])


def test_the_index_is_of_a_realistic_size():
    vols = [
        np.diff(np.log(simulate_history(sessions=3000, symbols=2, seed=seed).index_close)).std() * 252**0.5
        for seed in range(5)
    ]
    assert all(0.10 < vol < 0.25 for vol in vols)


def test_symbols_are_correlated():
    history = simulate_history(sessions=2000, symbols=5, seed=2)
    correlation = np.corrcoef(np.diff(np.log(history.close), axis=0).T)
    assert 0.1 < correlation[np.triu_indices(5, 1)].mean() < 0.8


@pytest.mark.parametrize("edge", [0.0, 0.01])
def test_a_longer_history_begins_with_the_same_prices(edge):
    short = simulate_history(sessions=100, symbols=4, seed=9, edge=edge)
    long = simulate_history(sessions=300, symbols=4, seed=9, edge=edge)
    np.testing.assert_array_equal(long.close[:100], short.close)
    np.testing.assert_array_equal(long.index_close[:100], short.index_close)


def test_a_shift_changes_nothing_before_it():
    calm = simulate_history(sessions=300, symbols=4, seed=9, edge=0.01)
    shifted = simulate_history(sessions=300, symbols=4, seed=9, edge=0.01, shift_at=200)
    np.testing.assert_array_equal(shifted.close[:200], calm.close[:200])
    assert (shifted.close[200:] != calm.close[200:]).all()


def test_a_seed_is_a_history():
    one, again, other = (simulate_history(sessions=50, symbols=2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.close, again.close)
    assert (one.close != other.close).all()


def test_sessions_are_business_days():
    history = simulate_history(sessions=600, symbols=1, seed=1)
    assert np.is_busday(history.sessions).all()


@pytest.mark.parametrize(("sessions", "symbols"), [(0, 1), (1, 0)])
def test_an_empty_market_is_refused(sessions, symbols):
    with pytest.raises(ConfigInvalid):
        simulate_history(sessions=sessions, symbols=symbols, seed=1)
