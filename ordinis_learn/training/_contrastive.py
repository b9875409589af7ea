"""Train an adapter so that a query lies nearer to what answered it than to anything else in its batch.

Loaded by name, for torch is heavy and an extra. The loss is InfoNCE with in-batch negatives: van den Oord, Li &
Vinyals (2018), *Representation learning with contrastive predictive coding*; over queries and passages, Karpukhin et
al. (2020), *Dense passage retrieval for open-domain question answering*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch  # noqa: TID253  the leaf that needs it

from ordinis_learn.errors import TrainFailed
from ordinis_learn.models import Adapter
from ordinis_learn.training._torch_state import reproducible
from ordinis_learn.training.embed_config import EmbedConfig
from ordinis_learn.training.pairs import TrainingPairs

__all__ = ["FittedAdapter", "fit_adapter"]

Float2D = npt.NDArray[np.float64]
Int1D = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedAdapter:
    """An adapter, the loss over each epoch, and the held-out loss after it (empty where nothing was held out)."""

    adapter: Adapter
    train_loss: tuple[float, ...]
    valid_loss: tuple[float, ...] = ()

    @property
    def best_epochs(self) -> int:
        """The number of epochs after which the held-out loss was lowest."""
        return int(np.argmin(self.valid_loss)) + 1


def fit_adapter(
    pairs: TrainingPairs,
    *,
    queries: Float2D,
    documents: Float2D,
    rows: Int1D,
    held: Int1D,
    config: EmbedConfig,
    epochs: int,
) -> FittedAdapter:
    """Fit on some pairs, and stop when the loss on held ones has not fallen for ``patience`` epochs.

    Parameters
    ----------
    queries, documents : float64 arrays, shapes (q, d) and (p, d)
        The frozen vectors of the pairs' texts.
    rows, held : int arrays
        Pairs to fit and to watch; an empty ``held`` runs exactly ``epochs``.

    Raises
    ------
    ConfigInvalid
        There is no such device.
    TrainFailed
        The loss is no number any more.
    """
    with reproducible(name=config.name, device=config.device, threads=config.threads, seed=config.seed):
        fit = _Fit(pairs, queries=queries, documents=documents, config=config)
        train, valid = [], []
        for epoch in range(epochs):
            train.append(fit.epoch(rows, number=epoch))
            if not len(held):
                continue
            valid.append(fit.loss(held))
            if epoch - int(np.argmin(valid)) >= config.patience:
                break
        return FittedAdapter(adapter=fit.adapter(), train_loss=tuple(train), valid_loss=tuple(valid))


class _Fit:
    """One adapter on one device, an epoch at a time."""

    def __init__(
        self, pairs: TrainingPairs, *, queries: Float2D, documents: Float2D, config: EmbedConfig
    ) -> None:
        self._config = config
        self._device = torch.device(config.device)
        self._queries, self._documents = self._tensor(queries), self._tensor(documents)
        self._query_of, self._document_of = pairs.query_of, pairs.document_of
        self._answers = np.unique(pairs.query_of * len(pairs.documents) + pairs.document_of)
        self._width = len(pairs.documents)
        dimensions = queries.shape[1]
        down = torch.randn(config.rank, dimensions) / dimensions**0.5
        # With a zero matrix behind it the adapter starts as the encoder, whatever the other one is.
        up = torch.zeros(dimensions, config.rank)
        self._down, self._up = (torch.nn.Parameter(matrix.to(self._device)) for matrix in (down, up))
        self._optimiser = torch.optim.AdamW(
            [self._down, self._up], lr=config.learning_rate, weight_decay=config.weight_decay
        )

    def epoch(self, rows: Int1D, *, number: int) -> float:
        """Pass once over the pairs in a random order; return the mean loss."""
        order = rows[torch.randperm(len(rows)).numpy()]
        lost, seen = 0.0, 0
        for batch in _batches(order, self._config.batch_pairs):
            loss = self._batch_loss(batch)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            lost, seen = lost + float(loss.detach()) * len(batch), seen + len(batch)
        mean = lost / seen
        if not np.isfinite(mean):
            raise TrainFailed(
                f"fit {self._config.name} with seed {self._config.seed}",
                found=f"a loss of {mean} in epoch {number + 1}",
                next_step="lower learning_rate or raise temperature; what was active stays active",
            )
        return mean

    def loss(self, rows: Int1D) -> float:
        """Return the mean loss, in batches in the order of the rows."""
        with torch.no_grad():
            parts = [
                (float(self._batch_loss(batch)), len(batch))
                for batch in _batches(rows, self._config.batch_pairs)
            ]
        return sum(loss * size for loss, size in parts) / sum(size for _, size in parts)

    def adapter(self) -> Adapter:
        down, up = (
            matrix.detach().cpu().numpy().copy().astype(np.float32) for matrix in (self._down, self._up)
        )
        return Adapter(down=down, up=up, activation=self._config.activation)

    def _batch_loss(self, batch: Int1D) -> torch.Tensor:
        query_of, document_of = self._query_of[batch], self._document_of[batch]
        queries = self._adapted(self._queries[torch.from_numpy(query_of).to(self._device)])
        documents = self._adapted(self._documents[torch.from_numpy(document_of).to(self._device)])
        cosine = queries @ documents.T / self._config.temperature
        masked = torch.from_numpy(self._not_negative(query_of, document_of)).to(self._device)
        target = torch.arange(len(batch), device=self._device)
        there = torch.nn.functional.cross_entropy(cosine.masked_fill(masked, -torch.inf), target)
        back = torch.nn.functional.cross_entropy(cosine.T.masked_fill(masked.T, -torch.inf), target)
        return (there + back) / 2.0

    def _not_negative(self, query_of: Int1D, document_of: Int1D) -> npt.NDArray[np.bool_]:
        """Return where a document of the batch answers another query's question too: it is no negative there."""
        keys = query_of[:, None] * self._width + document_of[None, :]
        answers: npt.NDArray[np.bool_] = np.isin(keys, self._answers)
        np.fill_diagonal(answers, val=False)
        return answers

    def _adapted(self, rows: torch.Tensor) -> torch.Tensor:
        inner = rows @ self._down.T
        if self._config.activation == "relu":
            inner = torch.relu(inner)
        return torch.nn.functional.normalize(rows + inner @ self._up.T, dim=1)

    def _tensor(self, values: Float2D) -> torch.Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


def _batches(rows: Int1D, size: int) -> list[Int1D]:
    """Split into equal parts of at most ``size``, so that no last batch is left without negatives."""
    return np.array_split(rows, -(-len(rows) // size))
