"""What MLflow finds through the entry-point group ``mlflow.model_evaluator``; imports nothing of MLflow until it is used."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["OrdinisEvaluator"]

_PACK: Final = "pack"


class OrdinisEvaluator:
    """Judge any pyfunc that answers with directions on a benchmark pack.

    ``mlflow.models.evaluate(model, data, model_type="signal_model", evaluators="ordinis", evaluator_config={…})`` with

    - ``pack``: the id of a benchmark pack below ``<home>/data/bench``;
    - ``home``: where that is (default: ``ORDINIS_HOME``);
    - ``trained_until``, ``trained_from``: the span of the model's training labels, so that windows it has seen are left
      out; or ``declared: True`` for a model that was trained on nothing;
    - ``baseline``: optionally the URI of the model to beat;
    - ``horizon_sessions``: of the forecast (default 5; a model of ours knows its own); ``seed``.

    ``data`` is what MLflow asks for; the pack is what is judged on.
    """

    @classmethod
    def can_evaluate(cls, *, model_type: Any, evaluator_config: dict[str, Any], **kwargs: Any) -> bool:
        """Tell whether a pack is named."""
        del model_type, kwargs
        return _PACK in (evaluator_config or {})

    def evaluate(
        self, *, run_id: str, evaluator_config: dict[str, Any], model: Any = None, **kwargs: Any
    ) -> Any:
        """Score the model; log metrics and ``scorecard.json`` into the run, and return both."""
        del kwargs
        from ordinis_mlflow._evaluator import judge_pyfunc  # noqa: PLC0415  imports MLflow

        return judge_pyfunc(model, config=evaluator_config, run_id=run_id)
