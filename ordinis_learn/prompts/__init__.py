"""Prompt packs: versioned, hashed bundles of prompts, output schemas, examples, a safety profile and parameters."""

from ordinis_learn.prompts.bundle import PACK_FILE, load_prompt_pack, save_prompt_pack
from ordinis_learn.prompts.chat_template import chat_template, check_templates
from ordinis_learn.prompts.checking import check_pack
from ordinis_learn.prompts.pack import (
    PACK_FORMAT,
    FewShotSearch,
    ModelParameters,
    PromptExample,
    PromptPack,
    PromptTask,
    SafetyProfile,
)
from ordinis_learn.prompts.pack_file import read_pack_file
from ordinis_learn.prompts.rendering import chat_request, render
from ordinis_learn.prompts.template import fill_template, template_variables

__all__ = [
    "PACK_FILE",
    "PACK_FORMAT",
    "FewShotSearch",
    "ModelParameters",
    "PromptExample",
    "PromptPack",
    "PromptTask",
    "SafetyProfile",
    "chat_request",
    "chat_template",
    "check_pack",
    "check_templates",
    "fill_template",
    "load_prompt_pack",
    "read_pack_file",
    "render",
    "save_prompt_pack",
    "template_variables",
]
