"""Score a pyfunc on a benchmark pack."""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow import MlflowClient  # noqa: TID253
from mlflow.models import EvaluationResult  # noqa: TID253
from mlflow.models.evaluation.artifacts import JsonEvaluationArtifact  # noqa: TID253
from pydantic import Field, ValidationError, model_validator

from ordinis_learn.bench import load_pack
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation import Judgement, evaluate_model
from ordinis_learn.models import Predictions, SignalModel
from ordinis_learn.records import DECLARED, ModelArtifact, ModelRef, ModelType, Record, hash_of
from ordinis_learn.settings import load_settings
from ordinis_learn.use_cases.evaluate import CALIBRATIONS, FEE_BPS, SLIPPAGE_BPS, trading_limits

with warnings.catch_warnings():
    # On import it warns about a type hint of its own.
    warnings.simplefilter("ignore", UserWarning)
    import mlflow.pyfunc

__all__ = ["EvaluatorConfig", "PyfuncSignalModel", "judge_pyfunc"]

_OUTSIDE = "outside"


class EvaluatorConfig(Record):
    """What ``evaluator_config`` holds; see :class:`ordinis_mlflow.evaluator_entry.OrdinisEvaluator`."""

    pack: str
    home: Path | None = None
    baseline: str | None = None
    trained_from: str | None = None
    trained_until: str | None = None
    declared: Literal[True] | None = None
    horizon_sessions: int = Field(5, ge=1)
    seed: int = 7

    @model_validator(mode="after")
    def _says_what_was_seen(self) -> EvaluatorConfig:
        if (self.trained_until is None) == (self.declared is None):
            raise ValueError(
                "say trained_until (and trained_from), or declared: True, so that seen windows are left out"
            )
        return self


class PyfuncSignalModel:
    """A pyfunc with a signature of named numeric columns, asked as a signal model.

    It answers with a frame of ``direction`` and optionally ``confidence`` and ``expected_return``.
    """

    kind = "pyfunc"

    def __init__(self, model: mlflow.pyfunc.PyFuncModel, *, horizon_sessions: int) -> None:
        inputs = model.metadata.get_input_schema()
        names = inputs.input_names() if inputs is not None and inputs.has_input_names() else []
        if not names:
            raise ConfigInvalid(
                "evaluate a pyfunc on a benchmark pack",
                found="its signature names no columns, so it cannot be given features",
                next_step="log the model with a signature whose inputs are names of features",
            )
        self._model = model
        self.feature_names = tuple(names)
        self.horizon_sessions = horizon_sessions

    def predict(self, features: npt.NDArray[np.float64]) -> Predictions:
        """Ask the pyfunc; what it does not say is NaN, and a confidence of 1."""
        answer = self._model.predict(pd.DataFrame(features, columns=list(self.feature_names)))
        said = answer if isinstance(answer, pd.DataFrame) else pd.DataFrame({"direction": np.ravel(answer)})
        if "direction" not in said:
            raise ValueError(
                f"the model answers with {', '.join(map(str, said.columns))}, not with a direction"
            )
        return Predictions(
            direction=said["direction"].to_numpy(dtype=np.int8),
            confidence=_column(said, "confidence", default=1.0),
            expected_return=_column(said, "expected_return", default=np.nan),
        )

    def save(self, folder: Path) -> None:
        """Refuse: MLflow keeps this model."""
        raise ConfigInvalid(
            f"save a pyfunc into {folder}",
            found="it is MLflow's to keep",
            next_step="use mlflow.pyfunc.save_model",
        )


def judge_pyfunc(model: Any, *, config: Mapping[str, Any], run_id: str) -> EvaluationResult:
    """Score a model as ``ordinis-learn evaluate`` does, by the same costs and the ``BENCH_*`` limits, and log the scorecard.

    Raises
    ------
    ConfigInvalid
        The configuration is wrong, or the model cannot be asked at all.
    BenchDataMissing, EvalFailed
        No such pack, or nothing to judge on.
    """
    asked = _config(config)
    if model is None:
        raise ConfigInvalid(
            "evaluate on a benchmark pack",
            found="predictions without a model",
            next_step="pass the model or its URI",
        )
    settings = load_settings(**({} if asked.home is None else {"home": asked.home}))
    subject = PyfuncSignalModel(model, horizon_sessions=asked.horizon_sessions)
    baseline = None if asked.baseline is None else mlflow.pyfunc.load_model(asked.baseline)
    card = evaluate_model(
        subject,
        subject_ref=_reference(model),
        baseline=_as_signal_model(baseline, horizon_sessions=asked.horizon_sessions),
        baseline_ref=None if baseline is None else _reference(baseline),
        pack=load_pack(settings.bench_dir, asked.pack),
        artifact=_artifact(model, asked, run_id=run_id),
        fee_bps=FEE_BPS,
        slippage_bps=SLIPPAGE_BPS,
        seed=asked.seed,
        clock=lambda: datetime.now(UTC),
        code_commit="",
        judgement=Judgement(
            calibrations=CALIBRATIONS, timer=time.perf_counter, limits=trading_limits(settings)
        ),
    ).scorecard
    metrics = {name: value for name, value in card.metrics.items() if value is not None}
    metrics |= {f"delta_{name}": found.estimate for name, found in card.differences.items()}
    return _logged(metrics, card.to_json(), run_id=run_id)


def _logged(metrics: Mapping[str, float], card: dict[str, Any], *, run_id: str) -> EvaluationResult:
    client = MlflowClient()
    for name, value in metrics.items():
        if np.isfinite(value):
            client.log_metric(run_id, name, value)
    with tempfile.TemporaryDirectory(prefix="ordinis-evaluator-") as folder:
        path = Path(folder) / "scorecard.json"
        path.write_text(json.dumps(card, indent=2), encoding="utf-8")
        client.log_artifact(run_id, str(path))
    uri = f"{client.get_run(run_id).info.artifact_uri}/scorecard.json"
    artifact = JsonEvaluationArtifact(uri=uri, content=card)
    return EvaluationResult(metrics=dict(metrics), artifacts={"scorecard.json": artifact}, run_id=run_id)


def _config(config: Mapping[str, Any]) -> EvaluatorConfig:
    try:
        return EvaluatorConfig.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "evaluator_config"
        raise ConfigInvalid(
            "read evaluator_config of the evaluator 'ordinis'",
            found=f"{place}: {first['msg']}",
            next_step='give {"pack": "bench_core_v1", "home": "…", "trained_until": "2006-12-29"}',
        ) from error


def _as_signal_model(model: Any, *, horizon_sessions: int) -> SignalModel | None:
    return None if model is None else PyfuncSignalModel(model, horizon_sessions=horizon_sessions)


def _reference(model: mlflow.pyfunc.PyFuncModel) -> ModelRef:
    """Name a model by what MLflow calls it; its bytes are not at hand, so the name is what is hashed."""
    uuid = str(model.metadata.model_uuid or "")
    return ModelRef(
        name=_OUTSIDE, version=uuid or "0", artifact_sha256=hash_of(uuid, domain="ordinis.evaluator.model")
    )


def _artifact(model: mlflow.pyfunc.PyFuncModel, config: EvaluatorConfig, *, run_id: str) -> ModelArtifact:
    reference = _reference(model)
    unknown = hash_of("", domain="ordinis.evaluator.unknown")
    return ModelArtifact(
        artifact_id=f"{_OUTSIDE}-{reference.artifact_sha256[:12]}",
        model_type=ModelType.SIGNAL_MODEL,
        version=reference.version,
        path_ref="",
        metrics={},
        created_at=datetime.now(UTC).isoformat(),
        data_snapshot_ref=DECLARED if config.declared else "outside@1",
        name=_OUTSIDE,
        code_commit="",
        code_dirty=False,
        config_hash=unknown,
        env_hash=unknown,
        artifact_sha256=reference.artifact_sha256,
        seed=config.seed,
        trials=1,
        trained_from=config.trained_from,
        trained_until=config.trained_until,
        run_id=run_id,
        trainer="",
    )


def _column(frame: pd.DataFrame, name: str, *, default: float) -> npt.NDArray[np.float64]:
    if name not in frame:
        return np.full(len(frame), default)
    return frame[name].to_numpy(dtype=np.float64)
