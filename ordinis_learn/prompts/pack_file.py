"""A prompt pack as people write it: one YAML (or JSON) file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from ordinis_learn.errors import ConfigInvalid
from ordinis_learn.prompts.checking import check_pack
from ordinis_learn.prompts.pack import PromptPack

__all__ = ["read_pack_file"]

_MOST_BYTES: Final = 4 * 1024 * 1024


class _Loader(yaml.SafeLoader):
    """Plain values only; a key given twice is an error, not the last word."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    repeated = {str(key) for key in keys if keys.count(key) > 1}
    if repeated:
        line = node.start_mark.line + 1
        raise yaml.YAMLError(f"{', '.join(sorted(repeated))} is given twice, in what begins on line {line}")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_pack_file(path: Path) -> PromptPack:
    """Read and check a pack; raise ConfigInvalid with the place that is wrong."""
    asked = f"read the prompt pack {path}"
    next_step = "correct the file; docs/prompt-packs.md has the format, ordinis-learn schema export PromptPack its schema"
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigInvalid(asked, found="more than 4 MiB", next_step="a pack holds prompts, not data")
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  a safe loader
        return check_pack(PromptPack.model_validate(values))
    except OSError as error:
        raise ConfigInvalid(
            asked, found=f"{error.strerror}", next_step="name a file that can be read"
        ) from error
    except RecursionError as error:
        raise ConfigInvalid(
            asked, found="it is nested too deeply to be read, or contains itself", next_step=next_step
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigInvalid(asked, found=str(error).replace("\n", " "), next_step=next_step) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigInvalid(asked, found=f"{place}: {first['msg']}", next_step=next_step) from error
