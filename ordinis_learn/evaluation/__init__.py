"""Metrics, their significance, and the scorecard."""

from ordinis_learn.evaluation.block_length import BlockCalibration, calibrated_block_length, pseudo_sequences
from ordinis_learn.evaluation.clustered_bootstrap import MIN_CLUSTERS, ShareDifference, compare_shares
from ordinis_learn.evaluation.clustered_intervals import percentile_intervals, ratio_interval, share_interval
from ordinis_learn.evaluation.competition import compete
from ordinis_learn.evaluation.confidence_sequence import (
    ConfidenceSequence,
    confidence_sequence,
    observations_for_margin,
)
from ordinis_learn.evaluation.deflated import (
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
    return_shape,
)
from ordinis_learn.evaluation.drawdown import compare_drawdown
from ordinis_learn.evaluation.latency import session_latency_ms
from ordinis_learn.evaluation.metrics import (
    SESSIONS_PER_YEAR,
    MetricSet,
    annual_turnover,
    annual_volatility,
    cagr,
    calmar_ratio,
    compute_metrics,
    cvar,
    hit_rate,
    max_drawdown,
    profit_factor,
    sharpe_ratio,
    sortino_ratio,
)
from ordinis_learn.evaluation.multiplicity import holm
from ordinis_learn.evaluation.overfitting import Overfitting, probability_of_overfitting
from ordinis_learn.evaluation.paired_moments import MIN_SESSIONS
from ordinis_learn.evaluation.paired_rates import (
    RateDifference,
    compare_rates,
    detectable_rate_difference,
    mcnemar_power,
)
from ordinis_learn.evaluation.paired_verdicts import rate_verdict, share_verdict
from ordinis_learn.evaluation.plots import write_plots
from ordinis_learn.evaluation.power import sessions_for_power
from ordinis_learn.evaluation.predictions import PredictionGrid, predict_grid
from ordinis_learn.evaluation.purging import split_windows
from ordinis_learn.evaluation.refusal import OFF_TOPIC_BELOW, Refusal, RefusalDetector, Similarity
from ordinis_learn.evaluation.revised_sharpe import (
    autocorrelation,
    minimum_track_record_revised,
    probabilistic_sharpe_revised,
)
from ordinis_learn.evaluation.rivals import Rival
from ordinis_learn.evaluation.scorecard import Evaluation, Judgement, evaluate_model
from ordinis_learn.evaluation.sharpe_confidence import Tried, sharpe_confidence
from ordinis_learn.evaluation.sharpe_tests import (
    compare_sharpe,
    compare_sharpe_hac,
    compare_sharpe_jkm,
    default_block_length,
)
from ordinis_learn.evaluation.track import DECISION_CADENCE_SESSIONS, Track, run_track

__all__ = [
    "DECISION_CADENCE_SESSIONS",
    "MIN_CLUSTERS",
    "MIN_SESSIONS",
    "OFF_TOPIC_BELOW",
    "SESSIONS_PER_YEAR",
    "BlockCalibration",
    "ConfidenceSequence",
    "Evaluation",
    "Judgement",
    "MetricSet",
    "Overfitting",
    "PredictionGrid",
    "RateDifference",
    "Refusal",
    "RefusalDetector",
    "Rival",
    "ShareDifference",
    "Similarity",
    "Track",
    "Tried",
    "annual_turnover",
    "annual_volatility",
    "autocorrelation",
    "cagr",
    "calibrated_block_length",
    "calmar_ratio",
    "compare_drawdown",
    "compare_rates",
    "compare_shares",
    "compare_sharpe",
    "compare_sharpe_hac",
    "compare_sharpe_jkm",
    "compete",
    "compute_metrics",
    "confidence_sequence",
    "cvar",
    "default_block_length",
    "deflated_sharpe",
    "detectable_rate_difference",
    "evaluate_model",
    "expected_maximum_sharpe",
    "hit_rate",
    "holm",
    "max_drawdown",
    "mcnemar_power",
    "minimum_track_record",
    "minimum_track_record_revised",
    "observations_for_margin",
    "percentile_intervals",
    "predict_grid",
    "probabilistic_sharpe",
    "probabilistic_sharpe_revised",
    "probability_of_overfitting",
    "profit_factor",
    "pseudo_sequences",
    "rate_verdict",
    "ratio_interval",
    "return_shape",
    "run_track",
    "session_latency_ms",
    "sessions_for_power",
    "share_interval",
    "share_verdict",
    "sharpe_confidence",
    "sharpe_ratio",
    "sortino_ratio",
    "split_windows",
    "write_plots",
]
