"""Keep a watch over a model's loss between checks, as one JSON file."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ordinis_learn.drift.loss_watch import LossWatch
from ordinis_learn.drift.whole_file import read_whole, write_whole
from ordinis_learn.errors import DataCorrupt

__all__ = ["load_watch", "save_watch"]


def save_watch(watch: LossWatch, path: Path) -> None:
    """Write the file whole.

    Raises
    ------
    StoreUnavailable
        It cannot be written.
    """
    write_whole(path, watch.model_dump_json().encode(), asked=f"keep the watch {path}")


def load_watch(path: Path) -> LossWatch | None:
    """Read a watch; None where there is no such file.

    Raises
    ------
    DataCorrupt
        It is not such a file, or of another format.
    """
    content = read_whole(path, asked=f"read the watch {path}")
    if content is None:
        return None
    try:
        return LossWatch.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise DataCorrupt(
            f"read the watch {path}",
            found=f"{first['msg']} at {'.'.join(map(str, first['loc'])) or 'the top'}",
            next_step=f"remove {path}: the next check counts every session since the record again",
        ) from error
