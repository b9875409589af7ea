"""Train a registered version again and compare the bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ordinis_learn.datasets import open_dataset
from ordinis_learn.errors import ConfigInvalid, DataCorrupt
from ordinis_learn.records import DatasetManifest, ModelArtifact, ModelType, file_sha256, hash_of
from ordinis_learn.testing.tracker import InMemoryTracker
from ordinis_learn.training import (
    EmbedConfig,
    Provenance,
    TrainConfig,
    TrainedModel,
    train_embedder,
    train_model,
)
from ordinis_learn.training.rows import open_rows
from ordinis_learn.training.streamed import StreamedRows
from ordinis_learn.use_cases.find import find_artifact
from ordinis_learn.use_cases.train import parse_config
from ordinis_learn.use_cases.train_embedding import parse_embedding
from ordinis_learn.workbench import Workbench

__all__ = ["Reproduction", "reproduce"]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of training again.

    Attributes
    ----------
    artifact : ModelArtifact
        The registered version.
    differing : tuple of str
        Files of the model bundle whose bytes differ, or that only one side has; empty when identical.
    circumstances : tuple of str
        What was otherwise this time (code, environment), whether or not it mattered.
    """

    artifact: ModelArtifact
    differing: tuple[str, ...]
    circumstances: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether every byte of the bundle is the same."""
        return not self.differing


def reproduce(bench: Workbench, name: str, version: str) -> Reproduction:
    """Train from the run's own configuration and the same dataset, a search included, and compare.

    Nothing is recorded or registered: the second training is kept in a scratch folder and thrown away. The bundle is
    compared file by file; the logged model's folder around it names its run, so it is never the same twice.

    Raises
    ------
    ArtifactMissing
        No such version, or its run's configuration is gone.
    DataCorrupt
        The configuration is not the one whose hash was signed.
    DataMissing
        The dataset's rows are gone.
    ConfigInvalid
        It is marked as not reproducible, or was declared.
    """
    artifact = find_artifact(bench, name, version)
    if not artifact.reproducible:
        raise ConfigInvalid(
            f"train {name} {version} again and compare the bytes",
            found="it was fitted across workers, which gives other bytes each time: it is marked as not reproducible",
            next_step="train it again under another name and compare scorecards (ordinis-learn evaluate)",
        )
    config, train_again = _configuration(bench, artifact)
    manifest, table = _dataset(bench, artifact, config=config)
    before = _files(bench.registry.local_path(name, version))
    now = bench.provenance()
    with tempfile.TemporaryDirectory(prefix="ordinis-reproduce-") as scratch:
        folder = Path(scratch)
        again = train_again(
            config,
            manifest=manifest,
            table=table,
            tracker=InMemoryTracker(folder / "runs"),
            provenance=now,
            datasets_root=bench.settings.datasets_dir,
            scratch=folder,
            min_samples=0,
            trainer=artifact.trainer,
            clock=bench.clock,
        )
        after = _files(again.bundle)
    names = sorted({*before, *after})
    return Reproduction(
        artifact=artifact,
        differing=tuple(one for one in names if before.get(one) != after.get(one)),
        circumstances=_circumstances(artifact, now),
    )


def _configuration(
    bench: Workbench, artifact: ModelArtifact
) -> tuple[TrainConfig | EmbedConfig, Callable[..., TrainedModel]]:
    """Return the run's configuration, and what trains by it."""
    if artifact.model_type is ModelType.PROMPT_PACK:
        raise ConfigInvalid(
            f"train {artifact.name} {artifact.version} again",
            found="a prompt pack is declared, not trained",
            next_step=f"ordinis-learn prompts diff {artifact.name} OLD NEW says what differs between two",
        )
    embeds = artifact.model_type is ModelType.EMBED_MODEL
    values = bench.tracker.read_json(artifact.run_id or "", path="train_config.json")
    kind = EmbedConfig if embeds else TrainConfig
    if hash_of(values, domain=f"ordinis.{kind.__name__}") != artifact.config_hash:
        raise DataCorrupt(
            f"train {artifact.name} {artifact.version} again",
            found=f"train_config.json of run {artifact.run_id} does not have the hash that was signed",
            next_step="restore the run's artifacts from a backup, or find who changed them",
            run_id=artifact.run_id,
        )
    return (parse_embedding(values), train_embedder) if embeds else (parse_config(values), train_model)


def _dataset(
    bench: Workbench, artifact: ModelArtifact, *, config: TrainConfig | EmbedConfig
) -> tuple[DatasetManifest | None, pa.Table | StreamedRows | None]:
    if artifact.data_sha256 is None:
        return None, None
    manifest = bench.catalogue.dataset(artifact.data_snapshot_ref)
    if manifest.content_sha256 != artifact.data_sha256:
        raise DataCorrupt(
            f"train {artifact.name} {artifact.version} again",
            found=f"{manifest.ref} is not the content that it was trained on",
            next_step=f"ordinis-learn datasets show {manifest.ref}",
        )
    root = bench.settings.datasets_dir
    if isinstance(config, EmbedConfig):
        return manifest, open_dataset(manifest, root=root)
    memory_gb = bench.settings.learn_train_memory_gb
    return manifest, open_rows(manifest, config=config, root=root, memory_gb=memory_gb)


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): file_sha256(path) for path in folder.rglob("*") if path.is_file()
    }


def _circumstances(artifact: ModelArtifact, now: Provenance) -> tuple[str, ...]:
    pairs: dict[str, tuple[Any, Any]] = {
        "code commit": (artifact.code_commit, now.code_commit),
        "environment": (artifact.env_hash, now.env_hash),
    }
    told = [
        f"{what}: {str(then)[:12]} then, {str(today)[:12]} now"
        for what, (then, today) in pairs.items()
        if then != today
    ]
    if artifact.code_dirty or now.code_dirty:
        told.append("code: uncommitted changes" + (" then" if artifact.code_dirty else " now"))
    return tuple(told)
