"""Drift detectors, one per file, and the check that runs them against what a model was trained on."""

from ordinis_learn.drift.alerts import alerts_for
from ordinis_learn.drift.answer_check import DependenceUnit, check_answers, is_of_answers
from ordinis_learn.drift.answer_reference import MIN_ANSWER_DAYS, AnswerReference, summarise_answers
from ordinis_learn.drift.answer_reference_file import load_answer_reference, save_answer_reference
from ordinis_learn.drift.autocorrelation import (
    Autoregression,
    autocovariances,
    fit_autoregression,
    mean_variance,
)
from ordinis_learn.drift.binning import Bins, Counts
from ordinis_learn.drift.calibration import BlockPlan, draw_blocks, influence_series, plan_blocks
from ordinis_learn.drift.calibration_error import CalibrationError, expected_calibration_error
from ordinis_learn.drift.column import ColumnReference, summarise_column
from ordinis_learn.drift.conditional_shift import ConditionalShift
from ordinis_learn.drift.constant import Constant
from ordinis_learn.drift.cusum import Cusum
from ordinis_learn.drift.detector import Detector, ReferenceCounts
from ordinis_learn.drift.domain_classifier import DomainClassifier, area_under_curve
from ordinis_learn.drift.fdr import benjamini_hochberg
from ordinis_learn.drift.jensen_shannon import JensenShannon, jensen_shannon_distance
from ordinis_learn.drift.joint_sample import JointSample, sample_jointly
from ordinis_learn.drift.kolmogorov_smirnov import KolmogorovSmirnov, distribution_gap
from ordinis_learn.drift.loss_watch import (
    LOSS_DETECTORS,
    LossWatch,
    advance,
    begin_watch,
    loss_findings,
)
from ordinis_learn.drift.loss_watch_file import load_watch, save_watch
from ordinis_learn.drift.measurement import DETECTORS, Judgement, Measured, calibrate_column, measure_column
from ordinis_learn.drift.missing_rate import MissingRate, missing_effect
from ordinis_learn.drift.mmd import Discrepancy, maximum_mean_discrepancy
from ordinis_learn.drift.monitor import DEFAULT_DRAWS, VersionedModel, check_drift
from ordinis_learn.drift.new_values import NewValues, new_value_effect
from ordinis_learn.drift.null import Null
from ordinis_learn.drift.outcome import MeanDecline
from ordinis_learn.drift.page_hinkley import PageHinkley
from ordinis_learn.drift.paired_loss import paired_loss
from ordinis_learn.drift.performance import PerformanceMetric
from ordinis_learn.drift.performance_measurement import measure_performance, performance_metrics
from ordinis_learn.drift.plots import plot_drift, plot_history
from ordinis_learn.drift.psi import PopulationStability, population_stability_index, psi_from_profile
from ordinis_learn.drift.rank_ic import RankICDecline, rank_ic_by_session
from ordinis_learn.drift.reference import (
    MIN_REFERENCE_SESSIONS,
    PREDICTION,
    DriftReference,
    build_reference,
)
from ordinis_learn.drift.reference_file import load_reference, save_reference
from ordinis_learn.drift.run_length import RunLength, calibrate_run_length
from ordinis_learn.drift.scores import Scores
from ordinis_learn.drift.sequential import SequentialDetector
from ordinis_learn.drift.share_rise import measure_share_rise
from ordinis_learn.drift.sharpe_decline import SharpeDecline
from ordinis_learn.drift.wasserstein import Wasserstein

__all__ = [
    "DEFAULT_DRAWS",
    "DETECTORS",
    "LOSS_DETECTORS",
    "MIN_ANSWER_DAYS",
    "MIN_REFERENCE_SESSIONS",
    "PREDICTION",
    "AnswerReference",
    "Autoregression",
    "Bins",
    "BlockPlan",
    "CalibrationError",
    "ColumnReference",
    "ConditionalShift",
    "Constant",
    "Counts",
    "Cusum",
    "DependenceUnit",
    "Detector",
    "Discrepancy",
    "DomainClassifier",
    "DriftReference",
    "JensenShannon",
    "JointSample",
    "Judgement",
    "KolmogorovSmirnov",
    "LossWatch",
    "MeanDecline",
    "Measured",
    "MissingRate",
    "NewValues",
    "Null",
    "PageHinkley",
    "PerformanceMetric",
    "PopulationStability",
    "RankICDecline",
    "ReferenceCounts",
    "RunLength",
    "Scores",
    "SequentialDetector",
    "SharpeDecline",
    "VersionedModel",
    "Wasserstein",
    "advance",
    "alerts_for",
    "area_under_curve",
    "autocovariances",
    "begin_watch",
    "benjamini_hochberg",
    "build_reference",
    "calibrate_column",
    "calibrate_run_length",
    "check_answers",
    "check_drift",
    "distribution_gap",
    "draw_blocks",
    "expected_calibration_error",
    "fit_autoregression",
    "influence_series",
    "is_of_answers",
    "jensen_shannon_distance",
    "load_answer_reference",
    "load_reference",
    "load_watch",
    "loss_findings",
    "maximum_mean_discrepancy",
    "mean_variance",
    "measure_column",
    "measure_performance",
    "measure_share_rise",
    "missing_effect",
    "new_value_effect",
    "paired_loss",
    "performance_metrics",
    "plan_blocks",
    "plot_drift",
    "plot_history",
    "population_stability_index",
    "psi_from_profile",
    "rank_ic_by_session",
    "sample_jointly",
    "save_answer_reference",
    "save_reference",
    "save_watch",
    "summarise_answers",
    "summarise_column",
]
