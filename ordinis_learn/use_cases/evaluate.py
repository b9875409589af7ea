"""Judge a registered model on a benchmark pack, against what is active."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from ordinis_learn.bench import load_pack
from ordinis_learn.evaluation import SESSIONS_PER_YEAR, Judgement, evaluate_model, write_plots
from ordinis_learn.evaluation.purging import Overlap
from ordinis_learn.models import SignalModel, load_bundle
from ordinis_learn.ports import Run
from ordinis_learn.records import ModelArtifact, ModelRef, Scorecard, TradingLimits
from ordinis_learn.settings import Settings
from ordinis_learn.use_cases.attest import attach_scorecard
from ordinis_learn.use_cases.find import earlier_versions, find_incumbent
from ordinis_learn.use_cases.rivals import load_rivals
from ordinis_learn.use_cases.sign import reference
from ordinis_learn.use_cases.stages import asked_to_evaluate, made_scorecard, stage
from ordinis_learn.workbench import Workbench

__all__ = [
    "CALIBRATIONS",
    "FEE_BPS",
    "SLIPPAGE_BPS",
    "evaluate",
    "incumbent",
    "plots_folder",
    "trading_limits",
]

FEE_BPS = 1.0
SLIPPAGE_BPS = 5.0
"""Costs per unit of turnover; the slippage is that of Ordinis' own backtest runner."""

CALIBRATIONS = 100
"""Pseudo-sequences by which the bootstrap's block length is chosen: coverages are then known to ±3 points."""


@stage("evaluate", asked=asked_to_evaluate, made=made_scorecard)
def evaluate(
    bench: Workbench,
    artifact_id: str,
    pack_id: str,
    *,
    seed: int = 7,
    overlap: Overlap = "purge",
    calibrations: int = CALIBRATIONS,
) -> Scorecard:
    """Score an artifact on a pack, log plots, and attach the signed scorecard to its version.

    ``overlap`` says what is done with windows that its training has touched; ``calibrations`` is the number of
    pseudo-sequences behind the bootstrap's block length, 0 for ⌈T^⅓⌉.

    Raises
    ------
    ArtifactMissing, BenchDataMissing
        Subject or pack is not there.
    EvalFailed
        Nothing is left to judge on, e.g. every window overlaps the training labels.
    """
    artifact = bench.catalogue.artifact(artifact_id)
    pack = load_pack(bench.settings.bench_dir, pack_id)
    baseline_ref, baseline = incumbent(bench, artifact)
    judgement = Judgement(
        calibrations=calibrations,
        overlap=overlap,
        timer=time.perf_counter,
        limits=trading_limits(bench.settings),
    )
    before = earlier_versions(bench, artifact)
    rivals, left_out = load_rivals(bench, before)
    with bench.tracker.start_run(f"evaluate {artifact.name} v{artifact.version} on {pack_id}") as run:
        evaluation = evaluate_model(
            load_bundle(bench.registry.local_path(artifact.name, artifact.version)),
            subject_ref=reference(artifact),
            baseline=baseline,
            baseline_ref=baseline_ref,
            pack=pack,
            artifact=artifact,
            fee_bps=FEE_BPS,
            slippage_bps=SLIPPAGE_BPS,
            seed=seed,
            clock=bench.clock,
            code_commit=bench.provenance().code_commit,
            earlier_trials=sum(earlier.trials for earlier in before),
            earlier_sharpes=_sharpes(bench, before, pack_id=pack_id),
            earlier_variances=[
                one.trial_sharpe_variance for one in before if one.trial_sharpe_variance is not None
            ],
            rivals=rivals,
            rivals_left_out=left_out,
            judgement=judgement,
        )
        scorecard = evaluation.scorecard
        _log(run, scorecard)
        for plot in write_plots(evaluation, plots_folder(bench, artifact) / pack_id):
            run.log_file(plot, folder="plots")
    attach_scorecard(bench, artifact, scorecard)
    return scorecard


def trading_limits(settings: Settings) -> TradingLimits:
    """Return what models may hold in a backtest, by the ``BENCH_*`` settings."""
    return TradingLimits(
        max_position=settings.bench_max_position,
        shorts=settings.bench_shorts,
        borrow_bps=settings.bench_borrow_bps,
    )


def _sharpes(bench: Workbench, artifacts: Sequence[ModelArtifact], *, pack_id: str) -> list[float]:
    """Return the per-session Sharpe ratios of artifacts on a pack, by their newest scorecards."""
    cards = [
        {card.pack_id: card for card in bench.catalogue.scorecards(artifact.artifact_id)}.get(pack_id)
        for artifact in artifacts
    ]
    annual = [card.metrics.get("sharpe") for card in cards if card is not None]
    return [value / math.sqrt(SESSIONS_PER_YEAR) for value in annual if value is not None]


def plots_folder(bench: Workbench, artifact: ModelArtifact) -> Path:
    """Return where an artifact's pictures are kept for its dossier, one folder per pack."""
    return bench.settings.reports_dir / "plots" / artifact.artifact_id


def incumbent(bench: Workbench, artifact: ModelArtifact) -> tuple[ModelRef | None, SignalModel | None]:
    """Return the version that the artifact must beat and its loaded bundle; two Nones for a first model."""
    known = find_incumbent(bench, artifact)
    if known is None:
        return None, None
    return reference(known), load_bundle(bench.registry.local_path(known.name, known.version))


def _log(run: Run, scorecard: Scorecard) -> None:
    finite = {name: value for name, value in scorecard.metrics.items() if value is not None}
    run.log_metrics(finite)
    run.log_metrics(
        {f"baseline_{name}": value for name, value in scorecard.baseline_metrics.items() if value is not None}
    )
    run.log_metrics({f"delta_{name}": diff.estimate for name, diff in scorecard.differences.items()})
    run.log_metrics(_chances(scorecard))
    run.set_tags({"ordinis.pack": scorecard.pack_id, "ordinis.pack_hash": scorecard.pack_hash})
    run.log_json(scorecard.to_json(), path="scorecard.json")


def _chances(scorecard: Scorecard) -> dict[str, float]:
    """Return the defined probabilities, track records and figures of the run, for comparing runs."""
    statistics = scorecard.statistics
    if statistics is None:
        return {}
    values = {
        name: value for name, value in statistics if name.endswith(("_2012", "_2025"))
    } | statistics.system
    if statistics.overfitting is not None:
        values["probability_of_overfitting"] = statistics.overfitting.probability
    return {name: value for name, value in values.items() if math.isfinite(value)}
