"""Register a prompt pack: a version like any other, with a run, a hash and a signed statement."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ordinis_learn.prompts import PromptPack, check_pack, check_templates, save_prompt_pack
from ordinis_learn.records import DECLARED, ModelArtifact, ModelType, Record, tree_sha256
from ordinis_learn.training import Provenance
from ordinis_learn.training.run_record import log_patch, run_tags
from ordinis_learn.use_cases.attest import register_artifact
from ordinis_learn.use_cases.parsing import parse_record
from ordinis_learn.use_cases.stages import asked_to_train, made_artifact, stage
from ordinis_learn.workbench import Workbench

__all__ = ["ModelName", "PromptConfig", "parse_prompts", "register_prompts"]

ModelName = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9-]{0,61}[a-z0-9]/)?[A-Za-z][A-Za-z0-9_-]{0,62}$")]
"""A registered model, with its workspace where it is not the default one. No dot: that separates a pack from its tasks."""


class PromptConfig(Record):
    """What ``LearningEngine.train`` takes for a prompt pack: nothing is fitted, the pack is declared.

    ``trials`` is the number of packs that were tried before this one was picked; the gate wants it to be honest.
    """

    schema_version: Literal["1.0.0"] = "1.0.0"
    model_type: Literal["prompt_pack"] = "prompt_pack"
    name: ModelName
    pack: PromptPack
    trials: Annotated[int, Field(ge=1)] = 1


def parse_prompts(values: Mapping[str, Any]) -> PromptConfig:
    """Read the configuration and check the pack; raise ConfigInvalid naming what is wrong."""
    config = parse_record(
        PromptConfig,
        values,
        asked="read the configuration of a prompt pack",
        next_step="give {'model_type': 'prompt_pack', 'name': …, 'pack': {…}}; docs/prompt-packs.md has the format",
    )
    check_pack(config.pack)
    return config


@stage("train", asked=asked_to_train, made=made_artifact)
def register_prompts(bench: Workbench, config: PromptConfig) -> ModelArtifact:
    """Log, register (state CANDIDATE), attest and link one pack; its tasks are prompts of MLflow's registry then too.

    Raises
    ------
    ConfigInvalid
        A task would read differently in MLflow's prompt registry, or one of the prompts' names is taken.
    """
    check_templates(config.pack)
    provenance = bench.provenance()
    with (
        bench.tracker.start_run(f"register {config.name}", tags=_tags(config, provenance)) as run,
        tempfile.TemporaryDirectory(prefix="ordinis-prompts-") as scratch,
    ):
        run.log_params(
            {f"parameters.{key}": f"{value}" for key, value in config.pack.parameters if value is not None}
        )
        run.log_json(config.pack.to_json(), path="prompt_pack.json")
        log_patch(run, provenance, scratch=Path(scratch))
        bundle = Path(scratch) / "bundle"
        save_prompt_pack(config.pack, bundle)
        model_uri = run.log_model(bundle, name=config.name, feature_names=(), model_type="prompt_pack")
        sha256 = tree_sha256(run.model_folder(model_uri))
        run.set_tags({"ordinis.artifact_sha256": sha256})
        run_id = run.run_id
    artifact = register_artifact(
        bench,
        ModelArtifact(
            artifact_id=f"{config.name}-{sha256[:12]}",
            model_type=ModelType.PROMPT_PACK,
            version="",
            path_ref=model_uri,
            metrics={},
            created_at=bench.clock().isoformat(),
            data_snapshot_ref=DECLARED,
            name=config.name,
            code_commit=provenance.code_commit,
            code_dirty=provenance.code_dirty,
            config_hash=config.content_hash(),
            env_hash=provenance.env_hash,
            artifact_sha256=sha256,
            seed=0,
            trials=config.trials,
            run_id=run_id,
            trainer=bench.settings.actor,
        ),
        model_uri=model_uri,
    )
    bench.registry.link_prompts(artifact.name, artifact.version)
    return artifact


def _tags(config: PromptConfig, provenance: Provenance) -> dict[str, str]:
    found_by = run_tags(
        model_type=config.model_type,
        config_hash=config.content_hash(),
        seed=0,
        manifest=None,
        provenance=provenance,
    )
    return found_by | {
        "ordinis.pack_sha256": config.pack.content_hash(),
        "ordinis.tasks": ",".join(sorted(config.pack.tasks)),
    }
