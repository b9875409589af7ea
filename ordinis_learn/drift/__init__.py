"""Drift detectors, one per file, and the check that runs them against what a model was trained on."""

from ordinis_learn.drift.alerts import alerts_for
from ordinis_learn.drift.autocorrelation import autocovariances, mean_variance
from ordinis_learn.drift.binning import FeatureBins, fine_bins
from ordinis_learn.drift.calibration import BlockPlan, draw_blocks, exceedance, influence_series, plan_blocks
from ordinis_learn.drift.constant import Constant
from ordinis_learn.drift.detector import Detector
from ordinis_learn.drift.fdr import benjamini_hochberg
from ordinis_learn.drift.kolmogorov_smirnov import KolmogorovSmirnov, distribution_gap
from ordinis_learn.drift.missing_rate import MissingRate, missing_effect
from ordinis_learn.drift.monitor import Scores, VersionedModel, check_drift
from ordinis_learn.drift.outcome import outcome_decline
from ordinis_learn.drift.plots import plot_drift
from ordinis_learn.drift.psi import (
    PopulationStability,
    population_stability_index,
    psi_from_profile,
)
from ordinis_learn.drift.wasserstein import Wasserstein

__all__ = [
    "BlockPlan",
    "Constant",
    "Detector",
    "FeatureBins",
    "KolmogorovSmirnov",
    "MissingRate",
    "PopulationStability",
    "Scores",
    "VersionedModel",
    "Wasserstein",
    "alerts_for",
    "autocovariances",
    "benjamini_hochberg",
    "check_drift",
    "distribution_gap",
    "draw_blocks",
    "exceedance",
    "fine_bins",
    "influence_series",
    "mean_variance",
    "missing_effect",
    "outcome_decline",
    "plan_blocks",
    "plot_drift",
    "population_stability_index",
    "psi_from_profile",
]
