"""The process that runs the merged transformers model as the reference of a parity check. Imports torch and PEFT.

The adapter is merged in float32 by PEFT; the matrices are then rounded to the type that the GGUF file stores, and the
model runs in float32 on those values. So only the file and llama.cpp's arithmetic can differ from it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from studio.conversion.worker_process import Report, serve


class ReferenceRequest(BaseModel):
    """Attributes: `out` gets one .npy per prompt: float32 logits `[tokens, vocabulary]` of the greedy continuation."""

    hf: Path
    adapter: Path | None
    weights: str
    prompts: list[list[int]]
    tokens: int
    threads: int
    out: Path


class ReferenceAnswer(BaseModel):
    """The greedy tokens per prompt."""

    continuations: list[list[int]]


def run_reference(request: ReferenceRequest, report: Report) -> ReferenceAnswer:
    """Continue every prompt greedily and save the logits of each step."""
    import torch

    torch.set_num_threads(request.threads)
    model = _merged_model(request)
    continuations = []
    for number, prompt in enumerate(request.prompts):
        logits, tokens = _greedy(model, prompt, request.tokens)
        np.save(request.out / f"{number}.npy", logits)
        continuations.append(tokens)
        report(number + 1, len(request.prompts))
    return ReferenceAnswer(continuations=continuations)


def _merged_model(request: ReferenceRequest) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(request.hf, dtype=torch.float32, attn_implementation="eager")
    if request.adapter:
        model = PeftModel.from_pretrained(model, request.adapter).merge_and_unload()
    stored = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32}[request.weights]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.copy_(parameter.to(stored).to(torch.float32))
    return model.eval()


def _greedy(model: Any, prompt: list[int], count: int) -> tuple[np.ndarray[Any, np.dtype[np.float32]], list[int]]:
    import torch

    rows, tokens, cache = [], [], None
    ids = torch.tensor([prompt])
    with torch.no_grad():
        for _ in range(count):
            output = model(ids, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            rows.append(output.logits[0, -1].float().numpy())
            tokens.append(int(rows[-1].argmax()))
            ids = torch.tensor([tokens[-1:]])
    return np.stack(rows), tokens


if __name__ == "__main__":
    sys.exit(serve(ReferenceRequest, run_reference))
