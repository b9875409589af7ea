"""One seed, one answer: torch's global state for the length of a fit. Loaded by name, for torch is heavy and an extra."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch  # noqa: TID253  the leaf that needs it

from ordinis_learn.errors import ConfigInvalid, TrainFailed

__all__ = ["reproducible"]


@contextmanager
def reproducible(*, name: str, device: str, threads: int, seed: int) -> Iterator[None]:
    """Seed this fit and nothing else, with deterministic algorithms on as many threads as asked.

    Random state, threads and mode are put back afterwards.

    Raises
    ------
    ConfigInvalid
        There is no such device.
    TrainFailed
        The device has not enough memory.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigInvalid(
            f"train {name} on device cuda",
            found="torch sees no GPU here",
            next_step="train with device=cpu, or where there is a GPU",
        )
    # cuBLAS reads it when it starts: without it, torch refuses deterministic matrix products on a GPU.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, mode = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield
    except torch.cuda.OutOfMemoryError as error:
        raise TrainFailed(
            f"fit {name} on device {device}",
            found=str(error).splitlines()[0],
            next_step="train with device=cpu, on fewer rows, or where the GPU has more memory free; rows are held there whole",
        ) from error
    finally:
        torch.use_deterministic_algorithms(mode)
        torch.set_num_threads(before)
