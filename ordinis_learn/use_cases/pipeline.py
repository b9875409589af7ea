"""From events to an answer of the gate, in one run: dataset, training, evaluation, and a request where one is asked for.

What is there already is used: a stage is left out where its result exists and has the hashes that it would have.
So a pipeline that was cut off goes on where it was when the same is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from ordinis_learn.bench import USUAL_LIMITS, load_pack
from ordinis_learn.datasets.assembly import QUERY_HASH
from ordinis_learn.datasets.store import check_files
from ordinis_learn.errors import ArtifactMissing, DataCorrupt, DataMissing, RolloutDenied
from ordinis_learn.ports import Run
from ordinis_learn.records import DatasetManifest, ModelArtifact, Record, Scorecard
from ordinis_learn.rollout.states import parse_stage
from ordinis_learn.training import Provenance, TrainConfig
from ordinis_learn.training.provenance import UNKNOWN_COMMIT
from ordinis_learn.use_cases.beneath import Beneath
from ordinis_learn.use_cases.build_dataset import build_dataset, parse_window
from ordinis_learn.use_cases.evaluate import evaluate, incumbent, trading_limits
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.roll_out import roll_out
from ordinis_learn.use_cases.train import parse_config, train
from ordinis_learn.workbench import Workbench

__all__ = ["PipelineConfig", "PipelineReport", "Stage", "parse_pipeline", "run_pipeline"]


class PipelineConfig(Record):
    """What a pipeline is asked to do.

    Attributes
    ----------
    dataset_id, window
        As :func:`ordinis_learn.use_cases.build_dataset.build_dataset` takes them, without ``kind``: signals.
    train : dict
        As ``LearningEngine.train`` takes it, without ``dataset``.
    packs : tuple of str or None
        ``LEARN_EVAL_PACKS`` where None.
    request : {"shadow", "active"} or None
        The stage to ask for at the end.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    dataset_id: str
    window: dict[str, Any]
    train: dict[str, Any]
    packs: tuple[str, ...] | None = Field(None, min_length=1)
    request: Literal["shadow", "active"] | None = None


class Stage(Record):
    """One stage: ``done`` now, ``found`` as it was, or the gate's ``granted`` or ``refused``, with what it said."""

    name: str
    outcome: Literal["done", "found", "granted", "refused"]
    said: str


class PipelineReport(Record):
    """What came of a pipeline. A refusal is an answer like any other: the gate did its work."""

    run_id: str
    dataset: str
    artifact_id: str
    name: str
    version: str
    stages: tuple[Stage, ...]


def parse_pipeline(values: Mapping[str, Any]) -> PipelineConfig:
    """Read a pipeline's configuration; raise ConfigInvalid naming the field that is wrong."""
    return parse_record(
        PipelineConfig,
        values,
        asked="read the pipeline's configuration",
        next_step="give {'dataset_id': …, 'window': {…}, 'train': {…}}, and 'packs' and 'request' where wanted",
    )


def run_pipeline(bench: Workbench, config: PipelineConfig) -> PipelineReport:
    """Run the stages below one run of their own.

    Raises
    ------
    ConfigInvalid
        A part of the configuration is wrong; nothing was begun.
    DataMissing, DatasetRejected, TrainFailed, BenchDataMissing, EvalFailed
        A stage failed; those before it are found the next time.
    """
    wanted = parse_config(config.train | {"dataset": config.dataset_id})
    parse_window(config.window)
    packs = config.packs or bench.settings.learn_eval_packs
    for pack in packs:
        load_pack(bench.settings.bench_dir, pack)
    tags = {"ordinis.pipeline": config.content_hash()}
    with bench.tracker.start_run(f"pipeline {wanted.name}", tags=tags) as run:
        run.log_json(config.to_json(), path="pipeline.json")
        stages = _Stages(replace(bench, tracker=Beneath(bench.tracker, run)))
        manifest = stages.dataset(config)
        artifact = stages.model(wanted.model_copy(update={"dataset": manifest.ref}), manifest=manifest)
        for pack in packs:
            stages.scorecard(artifact, pack=pack)
        if config.request is not None:
            stages.request(artifact, stage=config.request)
        report = PipelineReport(
            run_id=run.run_id,
            dataset=manifest.ref,
            artifact_id=artifact.artifact_id,
            name=artifact.name,
            version=artifact.version,
            stages=tuple(stages.reached),
        )
        _log(run, report)
    return report


class _Stages:
    """The stages in order; each says what it did in ``reached`` and in a run of its own."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.reached: list[Stage] = []

    def dataset(self, config: PipelineConfig) -> DatasetManifest:
        """Build the window, unless nothing has been captured since it was built."""
        bench = self._bench
        known = _same_dataset(bench, config)
        if known is not None:
            self._say("dataset", "found", f"{known.ref}, and nothing was captured since")
            return known
        manifest = build_dataset(bench, config.dataset_id, config.window)
        self._say("dataset", "done", f"{manifest.ref}, {manifest.rows} rows")
        return manifest

    def model(self, config: TrainConfig, *, manifest: DatasetManifest) -> ModelArtifact:
        """Train, unless the same configuration was trained on the same rows by the same code."""
        bench = self._bench
        for artifact in reversed(bench.catalogue.artifacts(config.name)):
            if _same_model(artifact, config, manifest=manifest, now=bench.provenance()) and _is_there(
                bench, artifact
            ):
                self._say("train", "found", f"version {artifact.version} ({artifact.artifact_id})")
                return artifact
        artifact = train(bench, config)
        self._say("train", "done", f"version {artifact.version} ({artifact.artifact_id})")
        return artifact

    def scorecard(self, artifact: ModelArtifact, *, pack: str) -> None:
        """Judge on a pack, unless that was done against the same baseline, on the same bytes and within the same limits."""
        bench = self._bench
        name = f"evaluate on {pack}"
        baseline, _ = incumbent(bench, artifact)
        pack_hash = load_pack(bench.settings.bench_dir, pack).manifest.manifest_hash
        wanted = (pack_hash, baseline, trading_limits(bench.settings))
        cards = [card for card in bench.catalogue.scorecards(artifact.artifact_id) if card.pack_id == pack]
        for card in cards[-1:]:  # the newest is the one that the gate has as evidence
            if (card.pack_hash, card.baseline, card.trading or USUAL_LIMITS) == wanted:
                self._say(name, "found", _summary(card))
                return
        self._say(name, "done", _summary(evaluate(bench, artifact.artifact_id, pack)))

    def request(self, artifact: ModelArtifact, *, stage: str) -> None:
        """Ask for the stage; a refusal ends the pipeline as well as a yes does."""
        bench = self._bench
        name = f"request {stage}"
        if bench.registry.state(artifact.name, artifact.version) == parse_stage(stage):
            self._say(name, "found", f"version {artifact.version} is there already")
            return
        try:
            roll_out(bench, artifact.artifact_id, {"stage": stage})
        except RolloutDenied as refusal:
            self._say(name, "refused", refusal.found)
        else:
            self._say(name, "granted", f"version {artifact.version} is {stage.upper()}")

    def _say(self, name: str, outcome: Literal["done", "found", "granted", "refused"], said: str) -> None:
        self.reached.append(Stage(name=name, outcome=outcome, said=said))
        if outcome == "done" and not name.startswith("dataset"):
            return  # the stage's own run says it
        with self._bench.tracker.start_run(f"{name}: {outcome}", tags={"ordinis.stage": outcome}) as run:
            run.log_json(self.reached[-1].to_json(), path="stage.json")


def _log(run: Run, report: PipelineReport) -> None:
    run.log_json(report.to_json(), path="report.json")
    run.set_tags({"ordinis.artifact_id": report.artifact_id, "ordinis.dataset": report.dataset})


def _same_dataset(bench: Workbench, config: PipelineConfig) -> DatasetManifest | None:
    window = parse_window(config.window)
    position = bench.log.position()
    for manifest in reversed(bench.catalogue.datasets()):
        same = (
            manifest.dataset_id == config.dataset_id
            and manifest.window == window
            and manifest.query_hash == QUERY_HASH
            and manifest.event_range.log_position == position
            and manifest.validation.success
        )
        if same and _has_rows(bench, manifest):
            return manifest
    return None


def _has_rows(bench: Workbench, manifest: DatasetManifest) -> bool:
    try:
        check_files(manifest, root=bench.settings.datasets_dir)
    except DataMissing:
        return False
    return True


def _same_model(
    artifact: ModelArtifact, config: TrainConfig, *, manifest: DatasetManifest, now: Provenance
) -> bool:
    # An installed package has no commit: it is told apart by its version, which is part of the environment.
    known_code = now.code_commit == UNKNOWN_COMMIT or not (now.code_dirty or artifact.code_dirty)
    then = (artifact.config_hash, artifact.data_sha256, artifact.code_commit, artifact.env_hash)
    return known_code and then == (
        config.content_hash(),
        manifest.content_sha256,
        now.code_commit,
        now.env_hash,
    )


def _is_there(bench: Workbench, artifact: ModelArtifact) -> bool:
    try:
        bench.registry.local_path(artifact.name, artifact.version)
    except (ArtifactMissing, DataCorrupt):
        return False
    return True


def _summary(card: Scorecard) -> str:
    verdicts: Iterable[str] = (f"Δ{name} {found.verdict}" for name, found in card.differences.items())
    return f"{card.windows} windows; " + (", ".join(verdicts) or "nothing to compare with yet")
