"""Several versions at once: what the joint tests say, against arch itself and against worthless candidates."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ordinis_learn.errors import ConfigInvalid, EvalFailed
from ordinis_learn.evaluation import Rival, compete
from ordinis_learn.evaluation._arch import superior_ability
from ordinis_learn.records import Competition


@pytest.fixture(scope="module")
def run(pack):
    def call(rivals, **changes):
        arguments = {
            "benchmark": None,
            "benchmark_ref": None,
            "pack": pack,
            "fee_bps": 1.0,
            "slippage_bps": 5.0,
            "seed": 7,
            "clock": lambda: datetime(2026, 1, 1, tzinfo=UTC),
            "code_commit": "c0ffee",
            "draws": 199,
        }
        return compete(rivals, **(arguments | changes))

    return call


@pytest.fixture(scope="module")
def rival(make_artifact):
    def make(version, model, **fields):
        return Rival(
            artifact=make_artifact(version=version, artifact_id=f"art-{version}", **fields), model=model
        )

    return make


@pytest.fixture(scope="module")
def coin(sign_model):
    """Long or short by the last digits of a feature: worthless, but it trades."""

    def make(seed):
        return sign_model(lambda features: np.sin(1e6 * seed * (features[:, 0] + features[:, 1])))

    return make


def test_two_versions_are_judged_on_the_same_sessions_and_the_answer_survives_json(
    run, rival, momentum, always_long
):
    found = run([rival("1", always_long), rival("2", momentum)])
    assert [one.subject.version for one in found.contenders] == ["1", "2"]
    assert found.purged_windows == ()
    assert 0.0 < found.p_lower <= found.p_consistent <= found.p_upper <= 1.0
    assert found.overfitting is not None
    assert found.overfitting.candidates == ("1", "2")
    assert all(one.adjusted_p_value >= one.p_value for one in found.contenders)
    assert Competition.model_validate_json(found.model_dump_json()).content_hash() == found.content_hash()
    assert found == run([rival("1", always_long), rival("2", momentum)])


def test_worthless_candidates_are_not_called_better_however_many(run, rival, coin):
    found = run([rival(str(number), coin(number)) for number in range(1, 7)])
    assert found.p_consistent > 0.05
    assert not any(one.better for one in found.contenders)


def test_windows_that_any_of_them_has_seen_are_left_out_for_all(run, rival, momentum, always_long):
    seen = {
        "data_snapshot_ref": "core@1",
        "trained_from": "2010-01-04",
        "trained_until": "2018-06-29",
    }
    whole = run([rival("1", always_long), rival("2", momentum)])
    purged = run([rival("1", always_long), rival("2", momentum, **seen)])
    assert purged.purged_windows
    assert purged.sessions < whole.sessions
    with pytest.raises(EvalFailed, match="overlap"):
        run([rival("1", always_long), rival("2", momentum, **seen)], overlap="refuse")
    with pytest.raises(EvalFailed, match="seen by some candidate"):
        run(
            [
                rival("1", always_long, **seen),
                rival(
                    "2", momentum, **(seen | {"trained_from": "2018-06-29", "trained_until": "2021-12-01"})
                ),
            ]
        )


def test_what_is_no_competition_is_refused(run, rival, momentum, always_long, sign_model):
    flat = sign_model(lambda features: np.zeros(len(features)))
    with pytest.raises(ConfigInvalid, match="1 different"):
        run([rival("1", momentum), rival("1", momentum)])
    with pytest.raises(EvalFailed, match="1 of 2 candidates trade"):
        run([rival("1", always_long), rival("2", flat)])


def planted(edge, *, seed=1, sessions=1500, candidates=5):
    rng = np.random.default_rng(seed)
    benchmark = rng.standard_normal(sessions)
    others = 0.8 * benchmark[:, None] + 0.6 * rng.standard_normal((sessions, candidates))
    others[:, 2] += edge
    return -benchmark, -others


def test_the_stepwise_test_names_the_planted_one_and_only_it():
    found = superior_ability(*planted(0.15), block_length=8, draws=499, alpha=0.05, seed=3)
    assert found.better == (2,)
    assert found.p_consistent < 0.01


def test_without_an_edge_the_stated_level_holds():
    refused = [
        superior_ability(
            *planted(0.0, seed=seed, sessions=300), block_length=5, draws=99, alpha=0.05, seed=seed
        )
        for seed in range(60)
    ]
    # 60 draws at 5 %: more than 8 would be an accident of 1 in 500.
    assert sum(found.p_consistent <= 0.05 for found in refused) <= 8
