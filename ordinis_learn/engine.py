"""The specification's public interface: five calls on one class."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from ordinis_learn.records import ModelArtifact, ModelType
from ordinis_learn.use_cases.build_dataset import build_dataset
from ordinis_learn.use_cases.judge import judge
from ordinis_learn.use_cases.pipeline import parse_pipeline, run_pipeline
from ordinis_learn.use_cases.register_prompts import parse_prompts, register_prompts
from ordinis_learn.use_cases.roll_out import roll_out
from ordinis_learn.use_cases.train import parse_config, train
from ordinis_learn.use_cases.train_embedding import parse_embedding, train_embedding
from ordinis_learn.workbench import Workbench

__all__ = ["LearningEngine"]


class LearningEngine:
    """LEARN: capture, datasets, training, evaluation, governed rollout.

    Build one with :func:`ordinis_learn.open_engine`. Threads may share an engine. It is a context manager:
    leaving it closes its files. Batches of events go through ``engine.workbench.recorder.record_events``.

    Parameters
    ----------
    workbench : Workbench
        The adapters to work with.
    """

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    @property
    def workbench(self) -> Workbench:
        """The adapters this engine works with."""
        return self._workbench

    def record_event(self, event: dict[str, Any]) -> None:
        """Store one event durably; an ``event_id`` seen before changes nothing.

        Raises
        ------
        EventInvalid
            The event was quarantined whole; the message names the field.
        StoreUnavailable
            The log cannot be written right now.
        """
        self._workbench.recorder.record_event(event)

    def build_dataset(self, dataset_id: str, window: dict[str, Any]) -> str:
        """Build and check a labelled dataset; return its reference ``dataset_id@version``.

        ``window`` has ``start`` and ``end`` (sessions, inclusive) and optionally ``horizons``
        (sessions, default 1, 5, 20), ``symbols``, ``as_of`` (aware moment of knowledge) and ``kind``
        (``signal``, or ``rag_eval`` for answers of language models).

        Raises
        ------
        DataMissing
            Not enough labelled data; ``DatasetRejected`` when its expectations failed.
        """
        return build_dataset(self._workbench, dataset_id, window).ref

    def train(self, train_config: dict[str, Any], *, resume: bool = False) -> ModelArtifact:
        """Train a model in a tracked run and register it as a CANDIDATE.

        ``model_type`` ``prompt_pack`` registers a pack instead: it has ``name`` and ``pack``, and nothing is fitted.
        ``embed_model`` trains a text encoder's adapter, as ``EmbedConfig`` says.
        A search (``trials`` in the configuration) that was cut off is gone on with; ``resume`` says that there must
        be one, and takes up a finished one too.

        Raises
        ------
        DataMissing, TrainFailed
            Nothing was registered; what is active stays active.
        """
        if train_config.get("model_type") == ModelType.PROMPT_PACK:
            return register_prompts(self._workbench, parse_prompts(train_config))
        if train_config.get("model_type") == ModelType.EMBED_MODEL:
            return train_embedding(self._workbench, parse_embedding(train_config))
        return train(self._workbench, parse_config(train_config), resume=resume)

    def evaluate(self, artifact_id: str, eval_pack_id: str) -> dict[str, Any]:
        """Judge an artifact on a pack against the active model; return the scorecard as JSON values.

        Raises
        ------
        ArtifactMissing, BenchDataMissing, EvalFailed
        """
        return judge(self._workbench, artifact_id, eval_pack_id).to_json()

    def pipeline(self, config: dict[str, Any]) -> dict[str, Any]:
        """Build a dataset, train, judge on packs and, where ``request`` says so, ask the gate: one run with children.

        ``config`` has ``dataset_id``, ``window`` and ``train`` as the calls above take them, and optionally ``packs``
        and ``request`` (``shadow`` or ``active``). Stages whose result is there with the same hashes are left out. A
        refusal of the gate is a stage's outcome, no error.
        """
        return run_pipeline(self._workbench, parse_pipeline(config)).to_json()

    def rollout(self, artifact_id: str, target: dict[str, Any]) -> dict[str, Any]:
        """Ask for ``{"stage": "shadow"}`` or ``{"stage": "active"}``, or ``{"rollback": "why"}``.

        Raises
        ------
        RolloutDenied
            Governance refused; the ledger has the decision with every rule's numbers.
        """
        return roll_out(self._workbench, artifact_id, target)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._workbench.close()
