import subprocess
import sys

import numpy as np
import pytest

from ordinis_learn.errors import StoreUnavailable
from ordinis_learn.evaluation import write_plots
from ordinis_learn.evaluation._plots import _broken


@pytest.mark.parametrize("with_baseline", [True, False])
def test_three_pictures_with_something_on_them(evaluate, momentum, always_long, tmp_path, with_baseline):
    from matplotlib.image import imread

    evaluation = evaluate(momentum, always_long if with_baseline else None)
    paths = write_plots(evaluation, tmp_path / "plots")
    assert [path.name for path in paths] == ["equity.png", "drawdown.png", "regimes.png"]
    for path in paths:
        picture = imread(path)
        assert min(picture.shape[:2]) > 200
        assert 0.01 < np.mean(picture[..., :3].min(axis=2) < 0.95) < 0.6


def test_the_same_evaluation_gives_the_same_bytes(evaluate, momentum, tmp_path):
    evaluation = evaluate(momentum)
    first, second = (write_plots(evaluation, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_model_that_never_trades_can_be_drawn(evaluate, sign_model, tmp_path):
    assert len(write_plots(evaluate(sign_model(lambda x: np.zeros(len(x)))), tmp_path)) == 3


def test_a_folder_that_cannot_be_written_is_reported(evaluate, momentum, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StoreUnavailable):
        write_plots(evaluate(momentum), blocked)


def test_no_line_is_drawn_across_a_gap():
    sessions = np.array(["2020-01-02", "2020-01-03", "2021-06-01"], dtype="datetime64[D]")
    days, values = _broken(sessions, np.array([1.0, 1.1, 1.2]))
    np.testing.assert_array_equal(values, [1.0, 1.1, np.nan, 1.2])
    assert len(days) == 4


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, ordinis_learn.evaluation; print('matplotlib' in sys.modules)"
    answer = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
