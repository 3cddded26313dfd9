"""The process in which a GGUF file that nobody vouches for is loaded and played for a few tokens. Imports llama.cpp."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from studio.conversion.llama_session import LlamaSession
from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

_CONTEXT = 64


class RunRequest(BaseModel):
    """The file, a text to go on from, and for how many tokens."""

    gguf: Path
    text: str
    tokens: int
    threads: int


class RunAnswer(BaseModel):
    """What it said, and whether all logits on the way were finite numbers."""

    text: str
    finite: bool


def run_model(request: RunRequest, _report: Report) -> RunAnswer:
    """Load, tokenize, continue greedily. Raises `ConversionError` when llama.cpp cannot."""
    with LlamaSession(request.gguf, _CONTEXT, request.threads) as session:
        prompt = session.tokenize(request.text, add_start=True)[: _CONTEXT // 2]
        if not prompt:
            raise ConversionError("Its tokenizer turns a plain sentence into no tokens at all.")
        chosen = session.greedy(prompt, request.tokens)
        finite = np.isfinite(session.logits([*prompt, *chosen])).all()
        return RunAnswer(text=session.text(chosen), finite=bool(finite))


if __name__ == "__main__":
    sys.exit(serve(RunRequest, run_model))
