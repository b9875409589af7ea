"""A prompt pack as a bundle: a folder with one file of canonical JSON, which is what the registry hashes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ordinis_learn.errors import ArtifactMissing, ConfigInvalid, DataCorrupt, StoreUnavailable
from ordinis_learn.prompts.checking import check_pack
from ordinis_learn.prompts.pack import PACK_FORMAT, PromptPack

__all__ = ["PACK_FILE", "load_prompt_pack", "save_prompt_pack"]

PACK_FILE: Final = "pack.json"
_RESTORE: Final = "restore the folder from the run's artifacts, or register the pack again"


def save_prompt_pack(pack: PromptPack, folder: Path) -> None:
    """Write the bundle into a folder that must not exist yet."""
    try:
        folder.mkdir(parents=True)
        (folder / PACK_FILE).write_bytes(pack.canonical())
    except OSError as error:
        raise StoreUnavailable(
            f"save a prompt pack into {folder}",
            found=f"{type(error).__name__}: {error.strerror}",
            next_step="give a new folder below one that you can write",
        ) from error


def load_prompt_pack(folder: Path) -> PromptPack:
    """Read a bundle and check it.

    Raises
    ------
    ArtifactMissing
        The folder or its file is not there.
    DataCorrupt
        The file is no pack of this format, does not fit together, or is not in its canonical form; or other files lie beside it.
    """
    asked = f"load the prompt pack in {folder}"
    path = folder / PACK_FILE
    if not path.is_file():
        raise ArtifactMissing(asked, found=f"no {PACK_FILE}", next_step=_RESTORE, folder=str(folder))
    extra = sorted(entry.name for entry in folder.iterdir() if entry.name != PACK_FILE)
    if extra:
        raise DataCorrupt(asked, found=f"files that do not belong: {', '.join(extra)}", next_step=_RESTORE)
    try:
        content = path.read_bytes()
        pack = check_pack(PromptPack.model_validate_json(content))
    except ConfigInvalid as error:
        raise DataCorrupt(asked, found=error.found, next_step=_RESTORE) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or PACK_FILE
        found = f"{place}: {first['msg']} (this release reads {PACK_FORMAT})"
        raise DataCorrupt(asked, found=found, next_step=_RESTORE) from error
    except OSError as error:
        raise StoreUnavailable(asked, found=str(error), next_step=f"make {path} readable") from error
    if pack.canonical() != content:
        raise DataCorrupt(asked, found="it is not in its canonical form", next_step=_RESTORE)
    return pack
