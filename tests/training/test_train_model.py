import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from ordinis_learn.errors import ConfigInvalid, DataMissing, DatasetRejected, TrainFailed
from ordinis_learn.models import load_bundle
from ordinis_learn.records import DECLARED, tree_sha256
from ordinis_learn.training import BoosterParameters, TrainConfig

NOW = datetime(2026, 5, 4, tzinfo=UTC)
QUICK = {"name": "sp500_signal", "dataset": "core", "rounds": 20, "early_stopping_rounds": 5, "folds": 2}


def test_an_xgboost_run_records_what_an_auditor_needs(train, tracker, planted):
    config = TrainConfig(**QUICK)
    trained = train(config, planted)
    run = tracker.runs[0]
    artifact = trained.artifact
    assert run.status == "FINISHED"
    assert (artifact.version, artifact.trials, artifact.trainer) == ("", 1, "ada")
    assert artifact.config_hash == config.content_hash() == run.tags["ordinis.config_hash"]
    assert artifact.artifact_sha256 == tree_sha256(run.model_folder(trained.model_uri))
    assert artifact.artifact_id == f"sp500_signal-{artifact.artifact_sha256[:12]}"
    assert (artifact.data_snapshot_ref, artifact.data_sha256) == ("core@1f", "ab" * 32)
    assert (artifact.trained_from, artifact.trained_until) == ("2001-01-01", "2002-02-10")
    assert artifact.created_at == NOW.isoformat()
    assert run.tags["ordinis.code_dirty"] == "true"
    assert run.files["provenance/dirty.patch"] == b"--- a\n+++ b\n"
    assert json.loads(run.files["train_config.json"])["seed"] == 7
    assert run.datasets[0][0].ref == "core@1f"
    assert run.datasets[0][1].parts[-3:] == ("datasets", "core", "1f")
    assert run.params["booster.max_depth"] == "3"


def test_curves_have_a_point_per_round_and_folds_a_point_per_metric(train, tracker, planted):
    trained = train(TrainConfig(**QUICK), planted)
    metrics = tracker.runs[0].metrics
    rounds = int(trained.artifact.metrics["rounds"])
    assert [step for step, _ in metrics["train_rmse"]] == list(range(rounds))
    assert len(metrics["fold_0/valid_rmse"]) == len(metrics["fold_0/train_rmse"])
    assert [step for step, _ in metrics["fold/rank_ic"]] == [0, 1]
    assert metrics["mean_rank_ic"][0][1] == trained.artifact.metrics["mean_rank_ic"] > 0.3


def test_a_planted_edge_is_found_and_its_feature_ranked_first(train, tracker, planted):
    trained = train(TrainConfig(**QUICK, min_edge_bps=0.0), planted)
    importance = json.loads(tracker.runs[0].files["feature_importance.json"])
    assert importance[0]["feature"] == "ret_5"
    assert {row["feature"] for row in importance} == {"ret_5", "vol_20", "z_20"}
    model = load_bundle(trained.bundle)
    answer = model.predict(np.array([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]]))
    assert answer.direction.tolist() == [1, -1]
    assert model.horizon_sessions == 5


def test_a_monotone_feature_never_turns_the_forecast_back(train, planted):
    """The planted edge rises with ret_5: forced to fall, the trees cannot use it."""
    steps = np.column_stack([np.linspace(-3.0, 3.0, 200), np.zeros((200, 2))])
    slopes = {
        sign: np.diff(
            load_bundle(train(TrainConfig(**QUICK, monotone={"ret_5": sign}), planted, name=f"{sign}").bundle)
            .predict(steps)
            .expected_return
        )
        for sign in (1, -1)
    }
    assert (slopes[1] >= 0.0).all()
    assert slopes[1].sum() > 0.0
    assert (slopes[-1] <= 0.0).all()


def test_a_monotone_feature_that_is_not_there_is_named(train, planted):
    with pytest.raises(ConfigInvalid, match="ret_55") as caught:
        train(TrainConfig(**QUICK, monotone={"ret_55": 1}), planted)
    assert "ret_5" in caught.value.next_step
    with pytest.raises(ValueError, match="monotone is for"):
        TrainConfig(**QUICK, model="torch", monotone={"ret_5": 1})


@pytest.mark.parametrize("other", [{"threads": 1}, {"threads": 2}])
def test_one_seed_gives_the_same_bytes_whatever_the_threads(train, planted, other):
    first = train(TrainConfig(**QUICK, threads=2), planted, name="a")
    again = train(TrainConfig(**QUICK, **other), planted, name="b")
    assert tree_sha256(first.bundle) == tree_sha256(again.bundle)


def test_another_seed_gives_other_bytes(train, planted):
    first = train(TrainConfig(**QUICK), planted, name="a")
    other = train(TrainConfig(**QUICK, seed=8), planted, name="b")
    assert tree_sha256(first.bundle) != tree_sha256(other.bundle)


def test_labels_that_end_after_the_cut_off_change_nothing(train, planted):
    config = TrainConfig(**QUICK, train_until="2001-10-01")
    before = train(config, planted, name="a")
    label = planted["fwd_ret_5d"].to_numpy().copy()
    late = planted["label_end_5d"].to_numpy() > np.datetime64("2001-10-01")
    label[late] = 9.0
    position = planted.column_names.index("fwd_ret_5d")
    changed = planted.set_column(position, "fwd_ret_5d", pa.array(label))
    after = train(config, changed, name="b")
    assert before.artifact.trained_until == "2001-10-01"
    assert tree_sha256(before.bundle) == tree_sha256(after.bundle)


def test_a_search_counts_every_trial_and_nests_its_runs(train, tracker, planted):
    trained = train(TrainConfig(**QUICK, trials=6), planted)
    parent = tracker.runs[0]
    children = [run for run in tracker.runs if "ordinis.trial" in run.tags]
    assert len(children) == trained.artifact.trials == 6
    assert {child.parent_run_id for child in children} == {parent.run_id}
    assert all(child.status == "FINISHED" for child in children)
    assert children[0].params["booster.max_depth"] == "3"
    assert trained.artifact.trial_sharpe_variance > 0.0
    finished = [run for run in children if run.tags["ordinis.trial_state"] == "complete"]
    best = min(finished, key=lambda run: run.metrics["mean_valid_rmse"][0][1])
    assert parent.params["fitted.max_depth"] == best.params["booster.max_depth"]
    assert {"mean_rank_ic", "mean_valid_rmse", "walk_forward_sharpe_per_session"} <= set(best.metrics)


def test_a_search_repeats_itself_with_its_seed(train, planted):
    config = TrainConfig(**QUICK, trials=5)
    first, again = train(config, planted, name="a"), train(config, planted, name="b")
    assert tree_sha256(first.bundle) == tree_sha256(again.bundle)
    assert first.artifact.trial_sharpe_variance == again.artifact.trial_sharpe_variance


def test_a_rule_is_declared_through_the_same_door(train, tracker):
    trained = train(TrainConfig(name="sp500_signal", model="rule"))
    artifact = trained.artifact
    assert (artifact.data_snapshot_ref, artifact.data_sha256, artifact.trained_until) == (
        DECLARED,
        None,
        None,
    )
    assert tracker.runs[0].datasets == []
    assert load_bundle(trained.bundle).kind == "rule"


def test_without_folds_it_fits_once_with_the_given_rounds(train, planted):
    trained = train(TrainConfig(**QUICK | {"folds": 0}), planted)
    assert trained.artifact.metrics == {"rounds": 20.0}


def test_too_little_evidence_is_refused_before_a_run_is_opened(train, tracker, table):
    with pytest.raises(DataMissing) as refusal:
        train(TrainConfig(**QUICK), table, min_samples=1000)
    # 400 sessions x 8 symbols at 1/5 each
    assert refusal.value.data["effective_samples"] == pytest.approx(640.0)
    assert tracker.runs == []


def test_a_rejected_dataset_is_refused(train, table, manifest_of):
    with pytest.raises(DatasetRejected):
        train(TrainConfig(**QUICK), table, manifest=manifest_of(table, success=False))


def test_a_horizon_that_was_not_labelled_is_refused(train, table):
    with pytest.raises(ConfigInvalid, match="build the dataset with 3"):
        train(TrainConfig(**QUICK, horizon_sessions=3), table)


def test_what_xgboost_refuses_fails_the_run(train, tracker, table):
    impossible = BoosterParameters.model_construct(**BoosterParameters().model_dump() | {"subsample": -1.0})
    config = TrainConfig(**QUICK).model_copy(update={"booster": impossible})
    with pytest.raises(TrainFailed) as failure:
        train(config, table)
    assert failure.value.retryable
    assert tracker.runs[0].status == "FAILED"
    assert tracker.runs[0].models == {}


def test_rows_with_a_hole_are_left_out(train, tracker, table):
    values = table["f_z_20"].to_numpy().copy()
    values[::7] = np.nan
    values[1::7] = np.inf
    position = table.column_names.index("f_z_20")
    train(TrainConfig(**QUICK), table.set_column(position, "f_z_20", pa.array(values)))
    assert tracker.runs[0].metrics["rows"] == [(0, np.isfinite(values).sum())]


@pytest.mark.parametrize("folds", [0, 2])
def test_a_gpu_that_is_not_there_is_refused_not_replaced(train, planted, tracker, folds):
    import xgboost as xgb

    if xgb.build_info()["USE_CUDA"]:
        pytest.skip("this xgboost may have a GPU")
    with pytest.raises(ConfigInvalid, match="device=cpu"):
        train(TrainConfig(**QUICK | {"folds": folds}, device="cuda"), planted)
    assert tracker.runs[0].status == "FAILED"
    assert tracker.runs[0].models == {}


def test_rows_that_a_model_can_be_asked_about_come_with_it(train, planted, tracker):
    trained = train(TrainConfig(**QUICK), planted)
    example = tracker.runs[0].examples[trained.model_uri]
    assert list(example) == ["ret_5", "vol_20", "z_20"]
    rows = np.column_stack(list(example.values()))
    assert load_bundle(trained.bundle).predict(rows).direction.shape == (5,)
    assert tracker.runs[0].was_watched
