"""The process that runs a GGUF file for a parity check and compares its logits with the reference's.

It imports llama.cpp.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from studio.conversion.llama_session import LlamaSession
from studio.conversion.quality.divergence import kl_divergence, log_softmax
from studio.conversion.worker_process import Report, serve


class CandidateRequest(BaseModel):
    """The file, and per prompt the reference's continuation.

    Attributes:
        adapter: a LoRA GGUF to lay over the file.
        reference: folder with the logits of the continuations, as the other worker left them.
    """

    gguf: Path
    prompts: list[list[int]]
    continuations: list[list[int]]
    reference: Path
    threads: int
    adapter: Path | None = None


class PromptParity(BaseModel):
    """How one prompt's continuation compares, over all its tokens.

    Attributes:
        same_tokens: greedy tokens that agree before the first difference.
        max_difference: largest difference of a logit, each row shifted to mean 0 (a constant shift changes nothing).
        kl_divergence: mean KL(reference || file) of the next-token distribution, in nats.
        max_kl_divergence: the largest of them.
        smallest_margin: smallest lead of the reference's best token over its second, in logits.
    """

    tokens: int
    same_tokens: int
    max_difference: float
    kl_divergence: float
    max_kl_divergence: float
    smallest_margin: float

    @property
    def agrees(self) -> bool:
        """The greedy tokens are the same, or parted where the reference's two best are nearer than the logits differ.

        Rounding breaks such a tie either way; `max_difference` must be held against a tolerance of its own.
        """
        return self.same_tokens == self.tokens or self.smallest_margin <= 2 * self.max_difference


class CandidateAnswer(BaseModel):
    """One entry per prompt."""

    prompts: list[PromptParity]


def run_candidate(request: CandidateRequest, report: Report) -> CandidateAnswer:
    """Compare the file with the reference, prompt by prompt."""
    context = 8 + max(len(p) + len(c) for p, c in zip(request.prompts, request.continuations, strict=True))
    results = []
    with LlamaSession(request.gguf, context, request.threads, request.adapter) as session:
        for number, (prompt, tokens) in enumerate(zip(request.prompts, request.continuations, strict=True)):
            reference = np.load(request.reference / f"{number}.npy")
            forced = session.logits([*prompt, *tokens])[len(prompt) - 1 : -1]
            same = _common_prefix(session.greedy(prompt, len(tokens)), tokens)
            results.append(compare_logits(reference, forced, same))
            report(number + 1, len(request.prompts))
    return CandidateAnswer(prompts=results)


def compare_logits(
    reference: npt.NDArray[np.float32], candidate: npt.NDArray[np.float32], same_tokens: int
) -> PromptParity:
    """Compare two `[tokens, vocabulary]` blocks of logits for the same tokens."""
    expected, found = (log_softmax(one.astype(np.float64)) for one in (reference, candidate))
    divergence = kl_divergence(expected, found)
    centred = [block - block.mean(axis=1, keepdims=True) for block in (reference, candidate)]
    best = np.partition(reference, -2, axis=1)[:, -2:]
    return PromptParity(
        tokens=len(reference),
        same_tokens=same_tokens,
        max_difference=float(np.abs(centred[0] - centred[1]).max()),
        kl_divergence=float(divergence.mean()),
        max_kl_divergence=float(divergence.max()),
        smallest_margin=float((best[:, 1] - best[:, 0]).min()),
    )


def _common_prefix(found: list[int], expected: list[int]) -> int:
    pairs = zip(found, expected, strict=True)
    return next((number for number, (a, b) in enumerate(pairs) if a != b), len(expected))


if __name__ == "__main__":
    sys.exit(serve(CandidateRequest, run_candidate))
