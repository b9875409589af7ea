"""Draw a question pack from a dataset of answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ordinis_learn.answers import (
    clusters_by_document,
    draw_questions,
    pack_questions,
    read_documents,
    write_questions,
)
from ordinis_learn.datasets import open_dataset
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.evaluation.clustered_rates import least_margin
from ordinis_learn.evaluation.paired_verdicts import ALPHA
from ordinis_learn.records import QuestionPackManifest, file_sha256
from ordinis_learn.workbench import Workbench

__all__ = ["DrawnPack", "draw_question_pack"]


@dataclass(frozen=True, kw_only=True)
class DrawnPack:
    """A question pack, and what it can show.

    Attributes
    ----------
    manifest : QuestionPackManifest
    groups : int
        Of questions that lean on the same documents.
    graded : int
        Questions of which it is known which documents hold their answer.
    least_margin : float
        The smallest margin by which a rate can be shown not to be worse, a fraction.
    """

    manifest: QuestionPackManifest
    groups: int
    graded: int
    least_margin: float


def draw_question_pack(
    bench: Workbench, dataset: str, *, pack_id: str, task: str, variable: str, documents: Path | None = None
) -> DrawnPack:
    """Write the pack and say what it can show; the same dataset and documents again change nothing.

    Raises
    ------
    ConfigInvalid
        The dataset is not of kind ``rag_eval``, or another pack has this name.
    DataMissing
        Fewer than 200 different questions.
    """
    manifest = bench.catalogue.dataset(dataset)
    if manifest.kind != "rag_eval":
        raise ConfigInvalid(
            f"draw questions from {manifest.ref}",
            found=f"a dataset of kind {manifest.kind}",
            next_step="ordinis-learn datasets build ID --kind rag_eval --start … --end …",
        )
    rows = open_dataset(manifest, root=bench.settings.datasets_dir)
    texts = None if documents is None else read_documents(documents)
    pack = pack_questions(
        pack_id,
        draw_questions(rows, task=task, variable=variable, texts=texts),
        source_ref=manifest.ref,
        clock=bench.clock,
        documents_sha256=None if documents is None else file_sha256(documents),
    )
    groups = len(np.unique(clusters_by_document(pack.items)))
    return DrawnPack(
        manifest=write_questions(pack, root=bench.settings.bench_dir),
        groups=groups,
        graded=sum(bool(item.required) for item in pack.items),
        least_margin=least_margin(groups, alpha=ALPHA),
    )
