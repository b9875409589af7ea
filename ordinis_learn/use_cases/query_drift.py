"""Check the queries that an embedding model is asked against those that it was trained on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from ordinis_learn.datasets import open_dataset
from ordinis_learn.datasets.answers import read_answers
from ordinis_learn.drift.query_check import AskedQueries, QueryVectors, check_queries, embed_queries
from ordinis_learn.drift.query_reference_file import load_query_reference, save_query_reference
from ordinis_learn.models import EmbedModel, load_embedder
from ordinis_learn.records import DatasetManifest, DriftReport, ModelArtifact, hash_of
from ordinis_learn.use_cases.alerting import remember
from ordinis_learn.use_cases.drift import ALPHA
from ordinis_learn.use_cases.drift_runs import log_text_check
from ordinis_learn.workbench import Workbench

__all__ = ["asked_queries", "check_query_drift"]


def check_query_drift(
    bench: Workbench, artifact: ModelArtifact, *, start: date, end: date, session: date, seed: int = 7
) -> DriftReport:
    """Compare the captured queries of a span of UTC days with the training dataset's, once.

    The queries are those of the ``rag_eval`` dataset's own rules: of answers that were written from retrieved documents. They name no
    embedding model, so they are taken to be asked of the version that is watched. The reference is made from the
    dataset's rows the first time and kept in ``data/drift/references/`` (vectors, no texts): it outlives the rows.

    Raises
    ------
    DataMissing
        Too few days on either side, or the rows are gone and no reference was kept.
    """
    manifest = bench.catalogue.dataset(artifact.data_snapshot_ref)
    identity = _identity(artifact, manifest, start=start, end=end, session=session)
    known = bench.alerts.check(identity)
    if known is not None:
        return known
    model = load_embedder(bench.registry.local_path(artifact.name, artifact.version))
    made = check_queries(
        _reference(bench, artifact, manifest, model=model),
        embed_queries(asked_queries(bench, manifest, start=start, end=end), encode=model.encode),
        name=artifact.name,
        version=artifact.version,
        dataset_ref=manifest.ref,
        psi_floor=bench.settings.learn_drift_psi_thresh,
        alpha=ALPHA,
        seed=seed,
        clock=bench.clock,
    )
    report = remember(bench, made, model_type=artifact.model_type, identity=identity, session=session)
    if report == made:  # else another process was first, and logs its own
        log_text_check(bench, report, identity=identity)
    return report


def asked_queries(bench: Workbench, manifest: DatasetManifest, *, start: date, end: date) -> AskedQueries:
    """Return the queries captured in a span of UTC days, read as the dataset was."""
    window = manifest.window.model_copy(update={"start": start, "end": end, "as_of": None})
    return _queries(read_answers(bench.log, window=window).table)


def _reference(
    bench: Workbench, artifact: ModelArtifact, manifest: DatasetManifest, *, model: EmbedModel
) -> QueryVectors:
    made_from = f"{artifact.artifact_sha256[:16]}-{manifest.content_sha256[:16]}"
    path: Path = bench.settings.drift_dir / "references" / f"queries-{made_from}.safetensors"
    kept = load_query_reference(path)
    if kept is not None:
        return kept
    rows = open_dataset(manifest, root=bench.settings.datasets_dir)
    made = embed_queries(_queries(rows), encode=model.encode)
    save_query_reference(made, path)
    return made


def _queries(rows: pa.Table) -> AskedQueries:
    days = np.asarray(rows["ts_response"].to_numpy()).astype("datetime64[D]").tolist()
    return AskedQueries(texts=tuple(rows["query"].to_pylist()), days=tuple(days))


def _identity(
    artifact: ModelArtifact, manifest: DatasetManifest, *, start: date, end: date, session: date
) -> str:
    about = [artifact.name, artifact.version, manifest.ref, *map(str, (start, end, session))]
    return hash_of(about, domain="ordinis.drift.queries.v1")
