"""Templates without logic: text in which ``{{name}}`` stands for a variable.

There is nothing to execute, so a pack from anywhere may be rendered. What a variable holds is not read as a template again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["fill_template", "template_variables"]

_VARIABLE: Final = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}")


def template_variables(text: str) -> tuple[str, ...]:
    """Return the variables of a template, each once, in order; ValueError for braces that name none.

    Examples
    --------
    >>> template_variables("{{ question }} about {{code}}, {{question}}")
    ('question', 'code')
    """
    if stray := _BRACES.search(_VARIABLE.sub("", text)):
        raise ValueError(f"{stray[0]} that belongs to no variable; a name is lower case, like {{{{code}}}}")
    return tuple(dict.fromkeys(_VARIABLE.findall(text)))


def fill_template(text: str, variables: Mapping[str, str]) -> str:
    """Put variables into a template, in one pass.

    Examples
    --------
    >>> fill_template("Read {{code}}.", {"code": "{{secret}}"})
    'Read {{secret}}.'
    """
    return _VARIABLE.sub(lambda found: variables[found[1]], text)
