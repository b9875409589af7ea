"""The scorecard of an embedding model: what the gate's ``embed_model`` rules read.

Every metric is a mean over questions. The subject is compared with the active version (``differences`` by the metric's
own name) and with the frozen encoder that it stands on (``…_over_encoder``): an adapter that does not beat its encoder
is not worth serving. In the record ``sessions`` counts questions, ``windows`` clusters of documents,
``purged_windows`` the questions whose query was trained on, and ``error_rate`` the share of queries without a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from ordinis_learn.answers.clusters import clusters_by_document
from ordinis_learn.answers.question_pack import QuestionPack
from ordinis_learn.answers.question_scorecard import made_or_told, question_scorecard
from ordinis_learn.answers.retrieval_corpus import RetrievalCorpus
from ordinis_learn.evaluation import compare_shares, rate_verdict, share_verdict
from ordinis_learn.evaluation.retrieval import (
    QuestionRanking,
    document_scores,
    rank_required,
    ranking_measures,
)
from ordinis_learn.ports import Clock
from ordinis_learn.records import ModelArtifact, ModelRef, PairedDifference, Scorecard

__all__ = ["RECALL_K", "Retrieved", "TextEncoder", "retrieval_scorecard", "search"]

RECALL_K: Final = 10
"""How many documents a question is given; ``recall_at_k``, ``hit_at_k`` and ``ndcg_at_k`` look at these."""

_BLOCK: Final = 256


class TextEncoder(Protocol):
    """Whatever turns texts into rows of length 1."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return shape (n, d); zeros where a text has no vector."""
        ...


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """One encoder's rankings, in the order of the corpus, and how many queries had no vector."""

    rankings: tuple[QuestionRanking, ...]
    errors: int

    @property
    def error_rate(self) -> float:
        """Errors per question."""
        return self.errors / len(self.rankings)

    def metrics(self, prefix: str = "") -> dict[str, float | None]:
        """Return the means by name."""
        return {f"{prefix}{name}": float(values.mean()) for name, values in _values(self).items()}


def search(encoder: TextEncoder, corpus: RetrievalCorpus, *, k: int = RECALL_K) -> Retrieved:
    """Rank every document for every question."""
    passages = encoder.encode(corpus.passages)
    rankings: list[QuestionRanking] = []
    errors = 0
    for start in range(0, len(corpus.queries), _BLOCK):
        queries = encoder.encode(corpus.queries[start : start + _BLOCK])
        errors += int((~(np.isfinite(queries).all(axis=1) & queries.any(axis=1))).sum())
        scores = document_scores(
            queries, passages, document_of=corpus.document_of, documents=corpus.documents
        )
        for row, required in zip(scores, corpus.required[start : start + _BLOCK], strict=True):
            rankings.append(ranking_measures(rank_required(row, required=required), k=k))
    return Retrieved(rankings=tuple(rankings), errors=errors)


def retrieval_scorecard(
    subject: Retrieved,
    baseline: Retrieved | None,
    *,
    encoder: Retrieved,
    corpus: RetrievalCorpus,
    pack: QuestionPack,
    subject_ref: ModelRef,
    baseline_ref: ModelRef | None,
    artifact: ModelArtifact,
    seed: int,
    clock: Clock,
    code_commit: str,
    earlier_trials: int = 0,
) -> Scorecard:
    """Write the scorecard.

    Parameters
    ----------
    baseline, baseline_ref : optional
        The active version over the same corpus, and what it is; None for a first model.
    encoder : Retrieved
        The subject's frozen encoder over the same corpus.
    """
    clusters = clusters_by_document(corpus.items)
    differences, quality = _compare(subject, encoder, suffix="_over_encoder", clusters=clusters, seed=seed)
    if baseline is not None:
        over, undecided = _compare(subject, baseline, suffix="", clusters=clusters, seed=seed)
        differences, quality = over | differences, undecided | quality
    if corpus.without_answer:
        quality["questions"] = f"{corpus.without_answer} left out: no required document with a text"
    return question_scorecard(
        pack,
        clusters=clusters,
        artifact=artifact,
        earlier_trials=earlier_trials,
        clock=clock,
        subject=subject_ref,
        baseline=baseline_ref,
        metrics=subject.metrics() | encoder.metrics("encoder_") | {"k": float(RECALL_K)},
        baseline_metrics={} if baseline is None else baseline.metrics(),
        differences=differences,
        purged_windows=corpus.seen,
        errors=subject.errors,
        error_rate=subject.error_rate,
        baseline_error_rate=None if baseline is None else baseline.error_rate,
        metric_quality=quality,
        code_commit=code_commit,
        seed=seed,
    )


def _compare(
    subject: Retrieved, other: Retrieved, *, suffix: str, clusters: npt.NDArray[np.int64], seed: int
) -> tuple[dict[str, PairedDifference], dict[str, str]]:
    """Return differences by name, and for each that could not be made the reason."""
    own, their = _values(subject), _values(other)
    made: dict[str, Callable[[], PairedDifference]] = {
        f"hit_at_k{suffix}": lambda: rate_verdict(
            f"hit_at_k{suffix}", own["hit_at_k"] > 0, their["hit_at_k"] > 0, clusters=clusters
        )
    }
    for name in ("recall_at_k", "mrr", "ndcg_at_k"):
        made[f"{name}{suffix}"] = lambda name=name: _mean_difference(  # type: ignore[misc]
            f"{name}{suffix}", own[name], their[name], clusters=clusters, seed=seed
        )
    return made_or_told(made)


def _mean_difference(
    metric: str,
    own: npt.NDArray[np.float64],
    their: npt.NDArray[np.float64],
    *,
    clusters: npt.NDArray[np.int64],
    seed: int,
) -> PairedDifference:
    one = np.ones(len(own))
    found = compare_shares(
        np.column_stack([own, one]), np.column_stack([their, one]), clusters=clusters, seed=seed
    )
    return share_verdict(metric, found, items=len(own))


def _values(found: Retrieved) -> dict[str, npt.NDArray[np.float64]]:
    """Return each metric per question."""
    return {
        "recall_at_k": np.array([one.recall for one in found.rankings]),
        "mrr": np.array([one.reciprocal_rank for one in found.rankings]),
        "ndcg_at_k": np.array([one.ndcg for one in found.rankings]),
        "hit_at_k": np.array([float(one.hit) for one in found.rankings]),
    }
