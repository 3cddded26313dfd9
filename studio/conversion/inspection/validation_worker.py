"""The process in which a GGUF file that nobody vouches for is loaded and played for a few tokens. Imports llama.cpp."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from studio.conversion.inspection.worker_limits import limit_memory
from studio.conversion.llama_session import LlamaSession
from studio.conversion.worker_process import Report, serve
from studio.errors import ConversionError

_CONTEXT = 64
_SPARE_BYTES = 2 << 30
_COPIES = 3
"""How often the weights may lie in memory (llama.cpp keeps some in a second form), whatever the header promises."""


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
    limit_memory(_COPIES * request.gguf.stat().st_size + _SPARE_BYTES)
    with LlamaSession(request.gguf, _CONTEXT, request.threads) as session:
        prompt = session.tokenize(request.text, add_start=True)[: _CONTEXT // 2]
        if not prompt:
            raise ConversionError("Its tokenizer turns a plain sentence into no tokens at all.")
        chosen = session.greedy(prompt, request.tokens)
        finite = np.isfinite(session.logits([*prompt, *chosen])).all()
        return RunAnswer(text=session.text(chosen), finite=bool(finite))


if __name__ == "__main__":
    sys.exit(serve(RunRequest, run_model))
