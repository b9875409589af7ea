import numpy as np
import pytest

from ordinis_learn.evaluation.latency import session_latency_ms
from ordinis_learn.market import FeatureCube


class Ticks:
    """A timer that says that every call took as long as the list has it."""

    def __init__(self, durations):
        self._durations = iter(durations)
        self._now, self._open = 0.0, False

    def __call__(self):
        if self._open:
            self._now += next(self._durations)
        self._open = not self._open
        return self._now


def cube(sessions):
    values = np.random.default_rng(0).standard_normal((sessions, 3, 2))
    return FeatureCube(names=("ret_1", "mom_126"), values=values)


def test_the_first_answer_warms_up_and_the_rest_are_measured(always_long):
    durations = [9.0, 0.001, 0.002, 0.003, 0.004]
    median, late = session_latency_ms(always_long, cube(5), timer=Ticks(durations))
    assert median == pytest.approx(2.5)
    assert late == pytest.approx(np.percentile([1.0, 2.0, 3.0, 4.0], 95))


def test_only_the_newest_hundred_and_one_sessions_are_asked(always_long):
    asked = Ticks([0.001] * 101)
    assert session_latency_ms(always_long, cube(400), timer=asked)[0] == pytest.approx(1.0)
    assert next(asked._durations, None) is None


def test_one_session_is_no_measurement(always_long):
    assert np.isnan(session_latency_ms(always_long, cube(1), timer=Ticks([1.0]))).all()
