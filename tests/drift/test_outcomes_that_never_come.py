"""A symbol that is never priced, or was delisted, does not stop the count of what a model lost."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.models.base import Predictions
from ordinis_learn.use_cases.loss_watch import _losses

SYMBOLS = ("A", "B", "C", "D", "E")


def rows(sessions, *, known):
    """Rows of five symbols a session; ``known(session, symbol)`` says whether the outcome has come."""
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(sessions)]
    outcome = [0.01 if known(n, symbol) else None for n in range(sessions) for symbol in range(len(SYMBOLS))]
    return pa.table(
        {
            "session": pa.array(np.repeat(days, len(SYMBOLS)), pa.date32()),
            "symbol": list(SYMBOLS) * sessions,
            "fwd_ret_5d": pa.array(outcome, pa.float64()),
            "f_x": np.ones(sessions * len(SYMBOLS)),
        }
    )


MODEL = SimpleNamespace(
    feature_names=("x",),
    predict=lambda rows: Predictions(
        direction=np.ones(len(rows), dtype=np.int8),
        confidence=np.ones(len(rows)),
        expected_return=np.zeros(len(rows)),
    ),
)


@pytest.mark.parametrize(
    ("known", "counted"),
    [
        (lambda n, _: n < 40, 40),
        (lambda n, symbol: n < 40 and symbol != 0, 40),  # never priced
        (lambda n, symbol: n < 40 and not (symbol == 0 and n > 10), 40),  # delisted half-way
        (lambda n, symbol: n < 40 and symbol == 0, 35),  # one priced of five: when it is five sessions ahead
        (lambda _, __: False, 0),
    ],
)
def test_sessions_are_counted_up_to_the_last_that_is_over(known, counted):
    days, losses = _losses(rows(46, known=known), model=MODEL, horizon=5)
    assert len(days) == len(losses) == counted
    assert np.isfinite(losses).all()


def test_a_session_of_which_less_than_half_is_known_waits():
    days, _ = _losses(rows(20, known=lambda n, symbol: n < 10 or symbol < 2), model=MODEL, horizon=5)
    assert len(days) == 15
