import numpy as np

from ordinis_learn.evaluation.rivals import Rival, common_sessions, judge_columns


def series(seed, *, sessions=640, mean=0.0):
    return mean + 0.01 * np.random.default_rng(seed).standard_normal(sessions)


def test_picking_among_noise_is_overfitting_about_half_the_time_and_picking_a_true_edge_is_not():
    noise, why = judge_columns({str(n): series(n) for n in range(1, 9)}, outside={})
    assert not why
    assert 0.2 < noise.probability < 0.9
    edge, _ = judge_columns(
        {str(n): series(n, mean=0.004 if n == 1 else 0.0) for n in range(1, 9)}, outside={}
    )
    assert edge.probability < 0.05
    assert edge.candidates == tuple(str(n) for n in range(1, 9))


def test_one_version_alone_is_undefined_with_the_reason_and_never_zero():
    found, why = judge_columns({"3": series(1)}, outside={"2": "was pruned"}, subject="3")
    assert found is None
    assert why == {"overfitting": "undefined: version 2 was pruned"}


def test_a_version_that_hardly_trades_is_left_out_by_name():
    sleepy = np.zeros(640)
    sleepy[:40] = series(5)[:40]
    found, _ = judge_columns({"1": series(1), "2": series(2), "3": sleepy}, outside={})
    assert found.candidates == ("1", "2")
    assert "hardly trades" in found.left_out["3"]
    nothing, why = judge_columns({"1": series(1), "2": series(2), "3": sleepy}, outside={}, subject="3")
    assert nothing is None
    assert "hardly trades" in why["overfitting"]


def test_too_few_sessions_are_undefined_not_a_number():
    found, why = judge_columns({"1": series(1, sessions=12), "2": series(2, sessions=12)}, outside={})
    assert found is None
    assert why["overfitting"].startswith("undefined")


def test_a_rival_that_has_seen_more_than_half_is_not_admitted(pack, make_artifact, momentum):
    everything = np.ones(len(pack.history.sessions), dtype=bool)
    seen = {"data_snapshot_ref": "core@1", "trained_from": "2000-01-03"}
    early = Rival(artifact=make_artifact(version="3", **seen, trained_until="2017-01-31"), model=momentum)
    late = Rival(artifact=make_artifact(version="4", **seen, trained_until="2020-03-31"), model=momentum)
    keep, admitted, outside = common_sessions(everything, rivals=[early, late], pack=pack)
    assert [rival.artifact.version for rival in admitted] == ["3"]
    assert "more than half" in outside["4"]
    assert 0 < keep.sum() < everything.sum()
