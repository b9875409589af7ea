import dataclasses
import json

import numpy as np
import optuna  # noqa: TID253
import pytest

from ordinis_learn.errors import ConfigInvalid, StoreUnavailable, TrainFailed
from ordinis_learn.records import tree_sha256
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import TrainConfig
from ordinis_learn.training._optuna import search_parameters
from ordinis_learn.training._studies import _storage
from ordinis_learn.training.folds import FoldFit
from ordinis_learn.training.matrix import training_matrix
from ordinis_learn.training.search import StudyPlace, study_key
from ordinis_learn.training.trial import LocalTrials

QUICK = {"name": "sp500_signal", "dataset": "core", "rounds": 12, "early_stopping_rounds": 4, "folds": 3}


class Killed(BaseException):
    """Ends a search as a kill would: nothing on the way may catch it."""


class DyingTracker(InMemoryTracker):
    """A tracker whose process dies when it is to record a certain trial."""

    def __init__(self, folder, *, at):
        super().__init__(folder)
        self._at = at

    def start_run(self, name, *, parent=None, tags=None):
        if name == f"trial {self._at}":
            raise Killed
        return super().start_run(name, parent=parent, tags=tags)


@pytest.fixture
def place(tmp_path):
    return StudyPlace(journal=tmp_path / "studies" / "sp500_signal.log")


def trials_of(tracker):
    """Return what each trial tried and how it ended, by number."""
    runs = [run for run in tracker.runs if "ordinis.trial" in run.tags]
    return {run.tags["ordinis.trial"]: (run.params, run.tags["ordinis.trial_state"]) for run in runs}


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_search_that_died_goes_on_as_if_it_had_not(train, planted, tracker, tmp_path, place, pruner):
    config = TrainConfig(**QUICK, trials=9, pruner=pruner)
    whole = train(config, planted, name="whole")
    dying = DyingTracker(tmp_path / "dying", at=5)
    with pytest.raises(Killed):
        train(config, planted, name="dies", place=place, tracker=dying)
    rest = InMemoryTracker(tmp_path / "rest")
    resumed = dataclasses.replace(place, resume=True)
    again = train(config, planted, name="again", place=resumed, tracker=rest)
    assert list(trials_of(dying)) == list("01234")
    assert list(trials_of(rest)) == list("5678")
    assert trials_of(dying) | trials_of(rest) == trials_of(tracker)
    assert tree_sha256(again.bundle) == tree_sha256(whole.bundle)
    assert again.artifact.trials == whole.artifact.trials == 9
    assert again.artifact.trial_sharpe_variance == whole.artifact.trial_sharpe_variance
    assert rest.runs[0].tags["ordinis.trials_run_elsewhere"] == "5"


def test_pruners_end_trials_and_each_in_its_own_way(train, planted, tmp_path):
    states = {}
    for pruner in ("median", "hyperband", "none"):
        tracker = InMemoryTracker(tmp_path / pruner)
        train(
            TrainConfig(**QUICK | {"folds": 4}, trials=12, pruner=pruner),
            planted,
            name=f"s-{pruner}",
            tracker=tracker,
        )
        states[pruner] = [state for _, state in trials_of(tracker).values()]
        assert tracker.runs[0].tags["ordinis.trials_pruned"] == str(states[pruner].count("pruned"))
    assert states["none"] == ["complete"] * 12
    assert "pruned" in states["median"]
    assert "pruned" in states["hyperband"]
    assert states["median"] != states["hyperband"]


def test_trials_of_one_batch_do_not_know_of_each_other(train, planted, tracker, tmp_path):
    config = TrainConfig(**QUICK, trials=8, trials_at_once=4)
    train(config, planted, name="four")
    one = InMemoryTracker(tmp_path / "one")
    train(config.model_copy(update={"trials_at_once": 1}), planted, name="one", tracker=one)
    by_four, by_one = trials_of(tracker), trials_of(one)
    # Trial 4 is the first that has seen as much either way; 5 has not.
    assert by_four["4"][0] == by_one["4"][0]
    assert by_four["5"][0] != by_one["5"][0]


def test_a_study_brought_to_its_end_is_not_gone_on_with_unasked(train, planted, tmp_path, place):
    config = TrainConfig(**QUICK, trials=3)
    first = train(config, planted, name="a", place=place)
    fresh = InMemoryTracker(tmp_path / "fresh")
    second = train(config, planted, name="b", place=place, tracker=fresh)
    assert len(trials_of(fresh)) == 3
    asked = InMemoryTracker(tmp_path / "asked")
    longer = config.model_copy(update={"trials": 5})
    third = train(longer, planted, name="c", place=dataclasses.replace(place, resume=True), tracker=asked)
    assert list(trials_of(asked)) == ["3", "4"]
    assert third.artifact.trials == 5
    assert tree_sha256(first.bundle) == tree_sha256(second.bundle)


def test_a_search_whose_model_was_not_registered_is_gone_on_with(train, planted, tmp_path, place):
    config = TrainConfig(**QUICK, trials=3)
    first = train(config, planted, name="a", place=place, registers=False)
    again = InMemoryTracker(tmp_path / "again")
    second = train(config, planted, name="b", place=place, tracker=again)
    assert trials_of(again) == {}
    assert tree_sha256(first.bundle) == tree_sha256(second.bundle)
    assert second.artifact.trials == 3


def test_a_search_that_came_to_no_model_counts_with_the_next_one_and_once(train, planted, tmp_path, place):
    given_up = TrainConfig(**QUICK, trials=6)
    with pytest.raises(Killed):
        train(given_up, planted, name="dies", place=place, tracker=DyingTracker(tmp_path / "d", at=4))
    other = TrainConfig(**QUICK, trials=2, seed=8)
    tracker = InMemoryTracker(tmp_path / "t")
    found = train(other, planted, name="a", place=place, tracker=tracker)
    alone = train(other, planted, name="alone")
    assert found.artifact.trials == 2 + 4
    assert tracker.runs[0].tags["ordinis.trials_abandoned"] == "4"
    assert found.artifact.trial_sharpe_variance >= alone.artifact.trial_sharpe_variance
    assert tree_sha256(found.bundle) == tree_sha256(alone.bundle)
    third = train(TrainConfig(**QUICK, trials=2, seed=9), planted, name="b", place=place)
    assert third.artifact.trials == 2


def test_what_others_finish_after_the_count_is_left_for_the_next_model(train, planted, place):
    """Between a search's count and the registration of its model, another process ends trials of both studies."""
    given_up = TrainConfig(**QUICK, trials=2)
    longer = given_up.model_copy(update={"trials": 5})
    counting = TrainConfig(**QUICK, trials=2, seed=8)
    train(given_up, planted, name="given up", place=place, registers=False)
    first = train(counting, planted, name="first", place=place, registers=False)
    train(longer, planted, name="goes on", place=place, registers=False)  # three more
    train(counting.model_copy(update={"trials": 3}), planted, name="more", place=place, registers=False)
    first.conclude()
    second = train(TrainConfig(**QUICK, trials=2, seed=9), planted, name="second", place=place)
    third = train(TrainConfig(**QUICK, trials=2, seed=10), planted, name="third", place=place)
    assert (first.artifact.trials, second.artifact.trials, third.artifact.trials) == (2 + 2, 2 + 3 + 1, 2)


def test_marks_of_an_earlier_release_say_how_many_were_counted(train, planted, place):
    given_up = TrainConfig(**QUICK, trials=3)
    train(given_up, planted, name="given up", place=place, registers=False)
    (name,) = optuna.get_all_study_names(_storage(place))
    study = optuna.load_study(study_name=name, storage=_storage(place))
    study.set_user_attr("counted", 1)
    found = train(TrainConfig(**QUICK, trials=2, seed=8), planted, name="next", place=place)
    assert found.artifact.trials == 2 + 2
    study.set_user_attr(
        "concluded", "a run"
    )  # as it was left by a release that noted nothing of its own trials
    study.set_user_attr("counted", 1)
    assert (
        train(TrainConfig(**QUICK, trials=2, seed=9), planted, name="last", place=place).artifact.trials == 2
    )


def test_trials_that_were_not_asked_for_are_counted_and_not_chosen(train, planted, place):
    longer = TrainConfig(**QUICK, trials=6, booster={"eta": 0.001})  # anything else is better
    shorter = longer.model_copy(update={"trials": 1})
    best = train(longer, planted, name="long", place=place, registers=False)
    found = train(shorter, planted, name="short", place=place)
    alone = train(shorter, planted, name="alone")
    assert found.artifact.trials == 6
    assert tree_sha256(found.bundle) != tree_sha256(best.bundle)
    assert tree_sha256(found.bundle) == tree_sha256(alone.bundle)


def test_there_must_be_something_to_go_on_with(train, planted, place, tracker):
    with pytest.raises(ConfigInvalid, match="leave out --resume"):
        train(TrainConfig(**QUICK, trials=2), planted, place=dataclasses.replace(place, resume=True))
    assert tracker.runs[0].status == "FAILED"


def test_other_rows_and_another_code_are_another_study():
    config = TrainConfig(**QUICK, trials=2)
    about = study_key(config, data_sha256="a", code_sha256="c")
    assert study_key(config, data_sha256="b", code_sha256="c") != about
    assert study_key(config, data_sha256="a", code_sha256="d") != about
    longer = config.model_copy(update={"trials": 9})
    assert study_key(longer, data_sha256="a", code_sha256="c") == about


def test_a_line_torn_by_a_power_cut_does_not_end_the_study(train, planted, tmp_path, place):
    config = TrainConfig(**QUICK, trials=4)
    with pytest.raises(Killed):
        train(config, planted, name="a", place=place, tracker=DyingTracker(tmp_path / "d", at=2))
    with place.journal.open("ab") as file:
        file.write(b'{"op_code":5,"worker')
    assert train(config, planted, name="b", place=place).artifact.trials == 4


def test_a_journal_that_is_none_is_told(train, planted, place):
    place.journal.parent.mkdir()
    place.journal.write_bytes(b"no journal\n")
    with pytest.raises(StoreUnavailable, match=r"sp500_signal\.log"):
        train(TrainConfig(**QUICK, trials=2), planted, place=place)


def test_configured_values_outside_of_the_space_are_tried_all_the_same(train, planted, tracker):
    config = TrainConfig(**QUICK, trials=6, booster={"max_depth": 9, "reg_lambda": 0.0})
    train(config, planted)
    tried = [params for params, _ in trials_of(tracker).values()]
    assert (tried[0]["booster.max_depth"], tried[0]["booster.reg_lambda"]) == ("9", "0.0")


class PickyWalk:
    """Folds that refuse deep trees; the error is the depth."""

    def __init__(self, matrix):
        self.matrix = matrix

    def __len__(self):
        return 2

    def fit(self, number, *, parameters):
        del number
        if parameters.max_depth > 3:
            raise TrainFailed("fit", found="too deep for us", next_step="nothing")
        rows = np.arange(4)
        return FoldFit(
            train_error=(1.0,),
            valid_error=(float(parameters.max_depth),),
            rounds=1,
            test=rows,
            forecast=np.zeros(4),
            position=np.zeros(4),
            metrics={"rmse": 1.0},
        )

    def fit_every_fold(self, *, parameters):
        return tuple(self.fit(number, parameters=parameters) for number in range(2))


def test_a_trial_that_fails_is_counted_and_the_search_goes_on(tracker, planted, manifest_of):
    config = TrainConfig(**QUICK, trials=10)
    matrix = training_matrix(config, manifest=manifest_of(planted), table=planted, min_samples=0)
    walk = PickyWalk(matrix)
    with tracker.start_run("search") as parent:
        found = search_parameters(
            walk,
            first=config.booster,
            config=config,
            tracker=tracker,
            parent=parent,
            runner=LocalTrials(walk),
            key="ab" * 32,
        )
    failed = [run for run in tracker.runs if run.tags.get("ordinis.trial_state") == "fail"]
    assert (found.trials, found.failed) == (10, len(failed))
    assert len(failed) > 0
    assert {run.status for run in failed} == {"FAILED"}
    assert parent.status == "FINISHED"
    complete = [run for run in tracker.runs if run.tags.get("ordinis.trial_state") == "complete"]
    assert found.parameters.max_depth == min(int(run.params["booster.max_depth"]) for run in complete)


def test_a_trial_run_has_an_axis_for_each_fold(train, planted, tracker):
    train(TrainConfig(**QUICK, trials=2), planted)
    run = next(run for run in tracker.runs if run.tags.get("ordinis.trial") == "0")
    assert {f"fold_{n}/{name}" for n in range(3) for name in ("rank_ic", "valid_rmse")} <= set(run.metrics)
    folds = [run for run in tracker.runs if "ordinis.fold" in run.tags]
    assert [run.params["fold"] for run in folds] == ["0", "1", "2"]
    assert {run.parent_run_id for run in folds} == {tracker.runs[0].run_id}
    assert folds[0].params["test_until"] < folds[1].params["test_from"]
    assert json.loads(tracker.runs[0].files["train_config.json"])["pruner"] == "median"
