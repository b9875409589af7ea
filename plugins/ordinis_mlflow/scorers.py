"""Our measures of answers as scorers of ``mlflow.genai.evaluate``, so that they show in MLflow's evaluation view.

``outputs`` is the model's text. ``inputs`` may hold ``documents``, a list of ``{doc_id, locator}`` that could be cited, and
``question``, what was asked. On a SQLite backend run with one worker (``MLFLOW_GENAI_EVAL_MAX_WORKERS=1``): ten wait for each
other's connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.entities import Feedback  # noqa: TID253  a leaf of the plugin, imported by whoever evaluates
from mlflow.genai.scorers import Scorer, scorer  # noqa: TID253

from ordinis_learn.answers import NOT_JSON, OutputSchema, citation_coverage, read_answer
from ordinis_learn.evaluation import RefusalDetector
from ordinis_learn.records import QuestionDocument

__all__ = ["citation_share", "refusal", "schema_valid"]


def schema_valid(schema: Mapping[str, Any], *, repaired: bool = True) -> Scorer:
    """Score 1 where the output keeps to a JSON Schema, after one repair or (``repaired=False``) as it came."""
    kept = OutputSchema(schema)
    name = "schema_valid" if repaired else "schema_valid_before_repair"

    @scorer(name=name)  # type: ignore[untyped-decorator]  # MLflow leaves it untyped
    def judge(outputs: Any) -> Feedback:
        read = read_answer(str(outputs))
        value = read.after if repaired else read.before
        return Feedback(
            name=name,
            value=value is not NOT_JSON and kept.accepts(value),
            rationale="repaired: " + ", ".join(read.steps) if repaired and read.steps else None,
        )

    return judge


def citation_share() -> Scorer:
    """Score the share of claims that cite a supplied document; no value where nothing is claimed."""

    @scorer(name="citation_coverage")  # type: ignore[untyped-decorator]  # MLflow leaves it untyped
    def judge(inputs: dict[str, Any], outputs: Any) -> Feedback:
        documents = [QuestionDocument.model_validate(one) for one in inputs.get("documents", ())]
        found = citation_coverage(read_answer(str(outputs)).after, documents=documents)
        return Feedback(
            name="citation_coverage",
            value=found.covered / found.claims if found.claims else None,
            rationale=f"{found.covered} of {found.claims} claims, {found.resolved} of {found.cited} citations resolve",
        )

    return judge


def refusal(detector: RefusalDetector | None = None) -> Scorer:
    """Score 1 where the answer declines what ``inputs["question"]`` asks."""
    judged_by = detector or RefusalDetector()

    @scorer(name="refusal")  # type: ignore[untyped-decorator]  # MLflow leaves it untyped
    def judge(inputs: dict[str, Any], outputs: Any) -> Feedback:
        value = read_answer(str(outputs)).after
        declines = isinstance(value, Mapping) and bool(value.get("refusal") or value.get("refused") is True)
        by_words = (
            value is NOT_JSON
            and judged_by.judge(prompt=str(inputs.get("question", "")), answer=str(outputs)).refused
        )
        return Feedback(name="refusal", value=declines or by_words)

    return judge
