"""Choose a task's examples by a search over questions that the pack is not judged by, and register what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from ordinis_learn.answers import (
    Outcome,
    QuestionPack,
    answer_score,
    clusters_by_document,
    load_questions,
    measure_answers,
    question_marks,
    tuning_half,
)
from ordinis_learn.errors import ConfigInvalid, DataMissing
from ordinis_learn.evaluation import MIN_CLUSTERS, RefusalDetector
from ordinis_learn.llm import ChatModel
from ordinis_learn.ports import Run
from ordinis_learn.prompts import FewShotSearch, PromptPack, check_pack, check_templates
from ordinis_learn.records import ModelArtifact, Record
from ordinis_learn.use_cases.chat_model import chat_model, refusal_detector
from ordinis_learn.use_cases.evaluate_answers import answer_questions
from ordinis_learn.use_cases.failed_trainings import alerts_when_it_fails
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.prompt_study import KeptScores, kept_scores
from ordinis_learn.use_cases.register_prompts import ModelName, PromptConfig, register_prompts
from ordinis_learn.use_cases.stages import asked_to_tune, made_artifact, stage
from ordinis_learn.use_cases.study_place import study_place
from ordinis_learn.workbench import Workbench

__all__ = ["PromptTuneConfig", "parse_tuning", "tune_prompts"]


class PromptTuneConfig(Record):
    """What is searched: at most ``shots`` of the examples that the pack's task has, over the tuning half of a question pack.

    ``earlier_trials`` counts packs that were tried before; they are added to the trials that the gate hears of.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    name: ModelName
    pack: PromptPack
    task: str
    questions: str
    shots: Annotated[int, Field(ge=1, le=8)] = 3
    trials: Annotated[int, Field(ge=1, le=500)] = 16
    seed: Annotated[int, Field(ge=0)] = 7
    earlier_trials: Annotated[int, Field(ge=0)] = 0


def parse_tuning(values: Mapping[str, Any]) -> PromptTuneConfig:
    """Read the configuration of a search; raise ConfigInvalid naming what is wrong."""
    config = parse_record(
        PromptTuneConfig,
        values,
        asked="read the configuration of a search for examples",
        next_step="ordinis-learn prompts tune --help has what it takes",
    )
    # What registering would refuse is refused before anybody is asked a question.
    check_templates(check_pack(config.pack))
    return config


@alerts_when_it_fails
@stage("train", asked=asked_to_tune, made=made_artifact)
def tune_prompts(
    bench: Workbench,
    config: PromptTuneConfig,
    *,
    model: ChatModel | None = None,
    detector: RefusalDetector | None = None,
    resume: bool = False,
) -> ModelArtifact:
    """Search, each trial a nested run, then register the pack with the examples that were best.

    Every trial asks each question of the tuning half once, under one cost cap for all of them. Trials are kept where those of
    a search for parameters are: a search that broke off goes on with the trial it was at, another process or host may share it,
    and all that were run count. With ``resume`` there must be one to go on with.

    Raises
    ------
    ConfigInvalid
        The pack has no such task, or the task no examples to choose from; or there is no search to go on with.
    StoreUnavailable
        The study cannot be read or written.
    DataMissing
        Too few documents lie behind the half of the questions that is tuned on.
    CostCapReached, LlmUnavailable
        The search cannot go on.
    """
    half, questions = _tuning_half(bench, config)
    asked, judge = model or chat_model(bench.settings), detector or refusal_detector()
    tags = {"ordinis.pack": config.questions, "ordinis.task": config.task}
    with (
        bench.tracker.start_run(f"tune {config.name}", tags=tags) as run,
        _study(bench, config, questions=questions, resume=resume) as kept,
    ):
        run.log_params(
            {"shots": config.shots, "trials": config.trials, "seed": config.seed, "items": len(half.items)}
        )
        run.log_params({"study": kept.name, "trials_before": kept.finished()})

        def score(number: int, chosen: tuple[int, ...]) -> float:
            pack = _with_examples(config, chosen)
            outcomes = answer_questions(
                pack, half, model=asked, detector=judge, concurrency=bench.settings.learn_llm_concurrency
            )
            return _log_trial(bench, run, number=number, chosen=chosen, outcomes=outcomes)

        tuning = _search(config, half=half, questions=questions, score=score, kept=kept)
        counted = kept.count()
        run.log_metrics({"score": tuning.score})
        run.set_tags({"ordinis.trials_abandoned": str(len(counted.others))})
        run.log_json(tuning.to_json(), path="few_shot.json")
        best = _with_examples(config, tuple(number - 1 for number in tuning.chosen))
        found = PromptConfig(
            name=config.name,
            pack=best.model_copy(update={"tuning": tuning}),
            trials=len(counted.own) + len(counted.others) + config.earlier_trials,
        )
        artifact = register_prompts(bench, found)
        # Not before: a search whose pack could not be registered has not come to its end.
        kept.conclude(run.run_id, counted=counted)
    return artifact


def _study(
    bench: Workbench, config: PromptTuneConfig, *, questions: QuestionPack, resume: bool
) -> AbstractContextManager[KeptScores]:
    """Open the study of trials that are comparable: the same pack, questions, endpoint and code."""
    provenance = bench.provenance()
    asked = {
        name: value for name, value in config.to_json().items() if name not in {"trials", "earlier_trials"}
    }
    about = {
        "config": asked,
        "questions": questions.manifest.items_sha256,
        "endpoint": bench.settings.learn_llm_url,
        "code": [provenance.code_commit, provenance.dirty_patch],
    }
    return kept_scores(
        study_place(bench, config.name, resume=resume),
        name=config.name,
        about=about,
        candidates=len(config.pack.tasks[config.task].examples),
    )


def _tuning_half(bench: Workbench, config: PromptTuneConfig) -> tuple[QuestionPack, QuestionPack]:
    asked = f"tune the examples of {config.task!r} on {config.questions!r}"
    task = check_pack(config.pack).tasks.get(config.task)
    if task is None or not task.examples:
        raise ConfigInvalid(
            asked,
            found="the task has no examples to choose from"
            if task
            else f"the pack has {', '.join(sorted(config.pack.tasks))}",
            next_step="name a task, and give it candidates under examples (at most 32)",
        )
    questions = load_questions(bench.settings.bench_dir, config.questions)
    items = [item for item in questions.items if item.task == config.task]
    half = tuning_half(items, seed=config.seed)
    documents = len(np.unique(clusters_by_document(half))) if half else 0
    if documents < MIN_CLUSTERS:
        raise DataMissing(
            asked,
            found=f"{documents} groups of documents behind the {len(half)} questions that would be tuned on",
            next_step=f"draw a pack with at least {2 * MIN_CLUSTERS} groups of documents for this task",
            rows=documents,
            required=MIN_CLUSTERS,
        )
    return replace(questions, items=half), questions


def _search(
    config: PromptTuneConfig,
    *,
    half: QuestionPack,
    questions: QuestionPack,
    score: Callable[[int, tuple[int, ...]], float],
    kept: KeptScores,
) -> FewShotSearch:
    from ordinis_learn.prompts._few_shot import search_examples  # noqa: PLC0415  optuna

    candidates = len(config.pack.tasks[config.task].examples)
    found = search_examples(
        score,
        candidates=candidates,
        shots=config.shots,
        trials=config.trials,
        seed=config.seed,
        kept=kept,
    )
    return FewShotSearch(
        task=config.task,
        questions=config.questions,
        items_sha256=questions.manifest.items_sha256,
        seed=config.seed,
        trials=found.trials,
        candidates=candidates,
        chosen=tuple(place + 1 for place in found.chosen),
        score=found.score,
        items=len(half.items),
        seen=tuple(sorted({mark for item in half.items for mark in question_marks(item)})),
    )


def _with_examples(config: PromptTuneConfig, chosen: tuple[int, ...]) -> PromptPack:
    task = config.pack.tasks[config.task]
    shown = task.model_copy(update={"examples": tuple(task.examples[place] for place in chosen)})
    return config.pack.model_copy(update={"tasks": {**config.pack.tasks, config.task: shown}})


def _log_trial(
    bench: Workbench, parent: Run, *, number: int, chosen: tuple[int, ...], outcomes: Sequence[Outcome]
) -> float:
    score = float(np.mean([answer_score(outcome) for outcome in outcomes]))
    tags = {"ordinis.trial": str(number), "ordinis.trial_state": "complete"}
    measured = {name: value for name, value in measure_answers(outcomes).values.items() if np.isfinite(value)}
    with bench.tracker.start_run(f"trial {number}", parent=parent, tags=tags) as run:
        run.log_params({"examples": ",".join(str(place + 1) for place in chosen) or "none"})
        run.log_metrics({"score": score, **measured})
    return score
