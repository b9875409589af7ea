"""One training of an embedding model, from a configuration to a logged model that can be registered."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from ordinis_learn.answers import read_documents
from ordinis_learn.errors import ConfigInvalid, DatasetRejected
from ordinis_learn.models import Adapter, EmbedModel, EncoderSpec, open_encoder
from ordinis_learn.ports import Clock, Run, Tracker
from ordinis_learn.records import DatasetManifest, file_sha256
from ordinis_learn.training.embed_config import EmbedConfig
from ordinis_learn.training.pairs import hold_out, training_pairs
from ordinis_learn.training.provenance import Provenance
from ordinis_learn.training.recorded import FittedModel, Recorder, TrainedModel

__all__ = ["train_embedder"]

_EXAMPLE: Final = {"text": ["What moves the spread of a bond over its benchmark?", "earnings revisions"]}
"""Never texts of the dataset: an example lies open in the model's folder."""
_NEW_PACK: Final = "build the dataset with ordinis-learn datasets build ID --kind rag_eval --start … --end …"


def train_embedder(
    config: EmbedConfig,
    *,
    manifest: DatasetManifest | None,
    table: pa.Table | None,
    tracker: Tracker,
    provenance: Provenance,
    datasets_root: Path,
    scratch: Path,
    min_samples: int,
    trainer: str,
    clock: Clock,
) -> TrainedModel:
    """Fit an adapter (or take the encoder as it is) inside one run of the tracker.

    Parameters and errors are those of :func:`ordinis_learn.training.train_model`; the dataset is of kind
    ``rag_eval``, and ``min_samples`` counts pairs of a query and a document.
    """
    _check_dataset(config, manifest=manifest)
    recorder = Recorder(
        tracker=tracker,
        provenance=provenance,
        datasets_root=datasets_root,
        scratch=scratch,
        trainer=trainer,
        clock=clock,
    )
    return recorder.record(
        config,
        manifest=manifest,
        fit=lambda run: _fit(config, table=table, run=run, min_pairs=max(min_samples, 2)),
    )


def _check_dataset(config: EmbedConfig, *, manifest: DatasetManifest | None) -> None:
    if manifest is None:
        return
    asked = f"train {config.name} on {manifest.ref}"
    if manifest.kind != "rag_eval":
        raise ConfigInvalid(
            asked, found=f"a dataset of kind {manifest.kind}, not rag_eval", next_step=_NEW_PACK
        )
    if not manifest.validation.success:
        raise DatasetRejected(
            asked,
            found=f"it failed {', '.join(manifest.validation.failed) or manifest.validation.error}",
            next_step="correct the events or the window and build the dataset again",
        )


def _fit(config: EmbedConfig, *, table: pa.Table | None, run: Run, min_pairs: int) -> FittedModel:
    encoder = open_encoder(EncoderSpec(kind=config.encoder, dimensions=config.dimensions))
    if table is None or config.documents is None:
        frozen = EmbedModel(encoder, adapter=Adapter.nothing(encoder.spec.dimensions))
        return FittedModel(model=frozen, example=_EXAMPLE)
    try:
        from ordinis_learn.training._contrastive import fit_adapter  # noqa: PLC0415  heavy
    except ImportError as error:
        raise ConfigInvalid(
            f"train {config.name}",
            found="the package torch is not installed",
            next_step="pip install 'ordinis-learn[torch]', or register the encoder itself with epochs=0",
        ) from error
    asked = f"train {config.name} on {config.dataset}"
    documents_sha256 = _documents_sha256(config, asked=asked)
    run.set_tags({"ordinis.documents_sha256": documents_sha256})
    pairs = training_pairs(
        table,
        texts=read_documents(Path(config.documents)),
        min_grade=config.min_grade,
        min_pairs=min_pairs,
        asked=asked,
    )
    queries, documents = encoder.encode(pairs.queries), encoder.encode(pairs.documents)
    every = np.arange(len(pairs), dtype=np.int64)
    metrics = {"pairs": float(len(pairs)), "pairs_without_text": float(pairs.without_text)}
    epochs = config.epochs
    if config.validation_share:
        held = hold_out(pairs, share=config.validation_share, seed=config.seed, asked=asked)
        watched = fit_adapter(
            pairs,
            queries=queries,
            documents=documents,
            rows=every[~held],
            held=every[held],
            config=config,
            epochs=epochs,
        )
        epochs = watched.best_epochs
        run.log_series({"fold_0/train_loss": watched.train_loss, "fold_0/valid_loss": watched.valid_loss})
        _log_curves(run, config=config, train=watched.train_loss, valid=watched.valid_loss, best=epochs)
        metrics |= {"valid_pairs": float(held.sum()), "best_valid_loss": min(watched.valid_loss)}
    final = fit_adapter(
        pairs,
        queries=queries,
        documents=documents,
        rows=every,
        held=every[:0],
        config=config,
        epochs=epochs,
    )
    metrics |= {"epochs": float(epochs), "final_train_loss": final.train_loss[-1]}
    run.log_series({"train_loss": final.train_loss})
    run.log_metrics(metrics)
    model = EmbedModel(encoder, adapter=final.adapter, documents_sha256=documents_sha256, seen=pairs.marks())
    return FittedModel(
        model=model,
        metrics=metrics,
        example=_EXAMPLE,
        first=pairs.first,
        last=pairs.last,
    )


def _documents_sha256(config: EmbedConfig, *, asked: str) -> str:
    path = Path(config.documents or "")
    if not path.is_file():
        raise ConfigInvalid(
            asked, found=f"no file {path} with the documents' texts", next_step="correct documents"
        )
    found = file_sha256(path)
    if config.documents_sha256 not in {None, found}:
        raise ConfigInvalid(
            asked,
            found=f"{path} has the hash {found}, not documents_sha256 {config.documents_sha256}",
            next_step="give the documents that the configuration speaks of, or leave documents_sha256 out",
        )
    return found


def _log_curves(
    run: Run, *, config: EmbedConfig, train: tuple[float, ...], valid: tuple[float, ...], best: int
) -> None:
    from ordinis_learn.training._embed_plots import draw_loss  # noqa: PLC0415  matplotlib takes its time

    with tempfile.TemporaryDirectory(prefix="ordinis-plots-") as folder:
        path = draw_loss(
            Path(folder) / "learning_curves.png", name=config.name, train=train, valid=valid, best=best
        )
        run.log_file(path, folder="plots")
