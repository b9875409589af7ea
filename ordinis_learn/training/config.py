"""What a training run is asked to do; its content hash is the run's ``config_hash``."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from ordinis_learn.market.rules import RuleParameters
from ordinis_learn.records import Record

__all__ = [
    "ROUND_TRIP_COST_BPS",
    "BoosterParameters",
    "NetworkParameters",
    "SequenceParameters",
    "TrainConfig",
]

ROUND_TRIP_COST_BPS: Final = 12.0
"""In and out at 1 bp of fees and 5 bp of slippage a side, as the simulated desk pays."""


_INNER: Final = {"xgboost": "booster", "torch": "network", "sequence": "sequence", "rule": "rule"}
"""The field that shapes each kind of model."""


class BoosterParameters(Record):
    """What shapes the trees; the defaults lean to few, shallow and slow, for returns are mostly noise.

    Rows are weighted by label uniqueness, so ``min_child_weight`` counts independent labels, not rows. Where classes are
    fitted a label counts p(1 − p), a quarter at most: xgboost adds up second derivatives.
    """

    max_depth: int = Field(3, ge=1, le=12)
    eta: float = Field(0.05, gt=0.0, le=1.0)
    subsample: float = Field(0.8, gt=0.0, le=1.0)
    colsample_bytree: float = Field(0.8, gt=0.0, le=1.0)
    min_child_weight: float = Field(20.0, ge=0.0)
    reg_lambda: float = Field(1.0, ge=0.0)


class NetworkParameters(Record):
    """What shapes a network; small and regularised, for the same reason.

    ``hidden`` are the widths of its ReLU layers. ``epochs`` is the most a fold runs; it stops when its test error has
    not improved for ``patience`` of them, and the final fit runs the mean of the folds' best.
    """

    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((32, 16), min_length=1, max_length=6)
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(1e-2, ge=0.0)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    batch_rows: int = Field(1024, ge=1)
    epochs: int = Field(30, ge=1)
    patience: int = Field(5, ge=1)


class SequenceParameters(Record):
    """What shapes a recurrent network over a symbol's history; the rest is as in :class:`NetworkParameters`.

    A row sees ``steps`` feature vectors, ``stride_sessions`` apart, the last of its own session. The stride is a multiple of
    the sessions between two rows of a symbol in the dataset: what lies between was not recorded. ``hidden`` is the width
    of the state.
    """

    steps: int = Field(8, ge=2, le=256)
    stride_sessions: int = Field(5, ge=1, le=252)
    hidden: int = Field(16, ge=1, le=512)
    learning_rate: float = Field(1e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(1e-2, ge=0.0)
    dropout: float = Field(0.1, ge=0.0, lt=1.0)
    batch_rows: int = Field(1024, ge=1)
    epochs: int = Field(30, ge=1)
    patience: int = Field(5, ge=1)

    @property
    def lags(self) -> tuple[int, ...]:
        """The sessions that a row looks back, the oldest first, 0 last."""
        return tuple(step * self.stride_sessions for step in reversed(range(self.steps)))


class TrainConfig(Record):
    """One training run, of whichever kind.

    Attributes
    ----------
    name : str
        The registered model.
    model : {"xgboost", "torch", "sequence", "rule"}
        A rule is declared: it takes ``rule`` and no dataset. ``torch`` fits the ``network`` and ``sequence`` a recurrent
        one over each symbol's history (extra ``torch``).
    dataset : str or None
        ``dataset_id@version``, or a bare id for its newest version.
    horizon_sessions : int
        The horizon of the forecast; one of the dataset's.
    train_start, train_until : date or None
        Rows count when their signal is not before the first and their label has *ended* by the second.
    folds : int
        Walk-forward folds; 0 fits once with exactly ``rounds`` rounds and says nothing about skill.
    embargo_sessions : int
        Sessions left out after each test block.
    rounds, early_stopping_rounds : int
        At most so many boosting rounds; a fold stops when its test error has not improved for so long.
    min_edge_bps : float
        Forecasts below this size are flat. Declared at the round-trip cost; never searched.
    monotone : dict of str to {-1, 1}
        Features in which the forecast of the trees may only rise (1) or only fall (-1), whatever the others are: what is
        known of a market beforehand need not be learned from noise.
    trials : int
        Parameter sets to search with Optuna; 0 fits ``booster`` as given. Each one counts at the gate.
    trials_at_once : int
        Trials of one batch do not know of each other: so many may run at the same time, and more of them search less
        well. It is part of what is asked, so that the same search gives the same model on any number of workers.
    pruner : {"median", "hyperband", "none"}
        Ends a trial early: above the median of the earlier ones at the same fold, or by Hyperband with folds for a
        budget (Li et al. 2018).
    threads : int
        Of the fit; the fitted bytes do not depend on it. One is fastest up to about 10⁵ rows, and wherever
        other work shares the cores (40 rounds on 60,000 rows: 0.1 s with one thread, 2–4 s with two while
        both cores were taken). More pays on millions of rows. A network's bytes do depend on it.
    device : {"cpu", "cuda"}
        Where it is fitted; each gives bytes of its own. ``cuda`` without a GPU is refused, never fitted on the CPU instead.
    objective : {"return", "binary", "three_class"}
        What is fitted: the forward return itself, whether it is above 0, or which of down, flat and up it is. Classes
        have calibrated probabilities; the model answers with direction, confidence and expected return all the same.
    class_edge_bps : float
        Of three classes, returns of at most this size are flat.
    across_workers : bool
        One fit over the workers of ``LEARN_TRAIN_SCHEDULER`` (xgboost.dask), for rows that fit on no machine. Two equal
        trainings give other bytes, so the model is marked as not reproducible; it takes no folds and no search.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    model_type: Literal["signal_model"] = "signal_model"
    model: Literal["xgboost", "torch", "sequence", "rule"] = "xgboost"
    name: str = Field(pattern=r"^([a-z0-9][a-z0-9-]{0,61}[a-z0-9]/)?[A-Za-z][A-Za-z0-9_-]{0,62}$")
    dataset: str | None = None
    horizon_sessions: int = Field(5, ge=1)
    train_start: date | None = None
    train_until: date | None = None
    folds: int = Field(4, ge=0)
    embargo_sessions: int = Field(5, ge=0)
    rounds: int = Field(300, ge=1)
    early_stopping_rounds: int = Field(30, ge=1)
    booster: BoosterParameters = BoosterParameters()
    network: NetworkParameters = NetworkParameters()
    sequence: SequenceParameters = SequenceParameters()
    monotone: dict[str, Literal[-1, 1]] = Field(default_factory=dict)
    rule: RuleParameters = RuleParameters()
    min_edge_bps: float = Field(ROUND_TRIP_COST_BPS, ge=0.0)
    trials: int = Field(0, ge=0)
    trials_at_once: int = Field(1, ge=1, le=256)
    pruner: Literal["median", "hyperband", "none"] = "median"
    seed: int = Field(7, ge=0, le=2**31 - 1)
    threads: int = Field(1, ge=1)
    device: Literal["cpu", "cuda"] = "cpu"
    # Left out where they are as before they were there: a configuration keeps its hash.
    objective: Annotated[
        Literal["return", "binary", "three_class"], Field(exclude_if=lambda value: value == "return")
    ] = "return"
    class_edge_bps: Annotated[
        float, Field(ge=0.0, allow_inf_nan=False, exclude_if=lambda value: value == ROUND_TRIP_COST_BPS)
    ] = ROUND_TRIP_COST_BPS
    across_workers: Annotated[bool, Field(exclude_if=lambda value: not value)] = False

    @model_validator(mode="after")
    def _fits_together(self) -> TrainConfig:
        if self.model != "rule" and self.dataset is None:
            raise ValueError(f"a model of kind {self.model} needs a dataset, e.g. dataset='sp500_core'")
        if self.monotone and self.model != "xgboost":
            raise ValueError(f"monotone is for model='xgboost'; {self.model} cannot promise it")
        if self.device != "cpu" and self.model == "rule":
            raise ValueError(f"device {self.device} is for what is fitted; a rule is declared")
        if self.across_workers and (self.model != "xgboost" or self.folds or self.device != "cpu"):
            raise ValueError("across_workers is for model xgboost on the CPU with folds 0: it fits once")
        if self.trials and not self.folds:
            raise ValueError("a search compares trials on folds; give folds >= 1")
        if self.train_start and self.train_until and self.train_until < self.train_start:
            raise ValueError(f"train_until {self.train_until} is before train_start {self.train_start}")
        return self

    @model_validator(mode="after")
    def _objective_fits(self) -> TrainConfig:
        if self.objective != "return" and self.model == "rule":
            raise ValueError(f"objective {self.objective} is for what is fitted; a rule is declared")
        if self.objective == "three_class" and self.monotone:
            raise ValueError("monotone is for one output; of three classes, give objective return or binary")
        if self.objective != "three_class" and self.class_edge_bps != ROUND_TRIP_COST_BPS:
            raise ValueError("class_edge_bps is for objective three_class")
        if self.model == "rule" and (self.dataset is not None or self.trials):
            raise ValueError("a rule is declared: give it neither a dataset nor trials")
        return self

    @property
    def inner(self) -> str:
        """The name of the field that shapes this kind of model."""
        return _INNER[self.model]

    def run_params(self) -> dict[str, Any]:
        """Return the configuration flat, as a tracker shows it; what does not apply is left out."""
        left_out = {"schema_version", *_INNER.values()}
        flat = {
            key: value for key, value in self.to_json().items() if key not in left_out and value is not None
        }
        inner: Record = getattr(self, self.inner)
        return flat | {f"{self.inner}.{key}": value for key, value in inner.to_json().items()}
