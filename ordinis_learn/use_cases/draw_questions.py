"""Draw a question pack from a dataset of answers."""

from __future__ import annotations

from pathlib import Path

from ordinis_learn.answers import draw_questions, pack_questions, read_documents, write_questions
from ordinis_learn.datasets import open_dataset
from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.records import QuestionPackManifest, file_sha256
from ordinis_learn.workbench import Workbench

__all__ = ["draw_question_pack"]


def draw_question_pack(
    bench: Workbench, dataset: str, *, pack_id: str, task: str, variable: str, documents: Path | None = None
) -> QuestionPackManifest:
    """Write the pack; the same dataset and documents again change nothing.

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
    return write_questions(pack, root=bench.settings.bench_dir)
