"""Prove that a GGUF file is the trained model: greedy tokens and logits against the merged transformers model.

Both run in worker processes. What a passed check covers: the weights, their order, the metadata that steers the
arithmetic. What it does not: the tokenizer and the chat template, which their own tests and `validate_gguf` compare.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel as Model

from studio.bases import BaseModel
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.parity.candidate import CandidateAnswer, CandidateRequest, PromptParity
from studio.conversion.parity.reference import ReferenceAnswer, ReferenceRequest
from studio.conversion.worker_process import run_worker
from studio.jobs import usable_cores

TIMEOUT_SECONDS = 1800.0


class ParityReport(Model):
    """A GGUF file against its reference, prompt by prompt."""

    prompts: list[PromptParity]

    @property
    def same_tokens(self) -> bool:
        """Whether the greedy output is identical for every prompt."""
        return all(prompt.same_tokens == prompt.tokens for prompt in self.prompts)

    @property
    def agrees(self) -> bool:
        """The same, ties between the reference's two best tokens excepted (`PromptParity.agrees`)."""
        return all(prompt.agrees for prompt in self.prompts)

    @property
    def max_difference(self) -> float:
        """Largest difference of a logit."""
        return max(prompt.max_difference for prompt in self.prompts)

    @property
    def kl_divergence(self) -> float:
        """Mean KL divergence per token, in nats."""
        tokens = sum(prompt.tokens for prompt in self.prompts)
        return sum(prompt.kl_divergence * prompt.tokens for prompt in self.prompts) / tokens

    @property
    def max_kl_divergence(self) -> float:
        """Largest KL divergence of one token, in nats."""
        return max(prompt.max_kl_divergence for prompt in self.prompts)


@dataclass(frozen=True)
class ParityReference:
    """What the merged transformers model says to some prompts; its logits lie in `folder` until someone deletes it."""

    folder: Path
    prompts: list[list[int]]
    continuations: list[list[int]]


def check_parity(
    gguf: Path,
    base: BaseModel,
    adapter: Path | None,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int = 32,
    weights: str = "F16",
    threads: int = 0,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> ParityReport:
    """Compare `gguf` with `base` plus `adapter` in transformers: `make_reference`, then `compare_with`.

    Raises:
        ConversionError: a worker failed.
        ConversionStopped: `stop` said yes.
    """
    with tempfile.TemporaryDirectory() as folder:
        reference = make_reference(
            Path(folder), base, adapter, prompts,
            tokens=tokens, weights=weights, threads=threads, progress=progress, stop=stop,
        )  # fmt: skip
        return compare_with(reference, gguf, threads=threads, progress=progress, stop=stop)


def make_reference(
    folder: Path,
    base: BaseModel,
    adapter: Path | None,
    prompts: Sequence[Sequence[int]],
    *,
    tokens: int = 32,
    weights: str = "F16",
    threads: int = 0,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> ParityReference:
    """Let transformers continue the prompts greedily and keep its logits in `folder`.

    Args:
        adapter: folder of the PEFT adapter; None takes the base alone.
        prompts: token ids, one list per prompt.
        tokens: how far each prompt is continued.
        weights: type to which the matrices are rounded: the one that an unquantized GGUF file stores.
        threads: 0 takes all cores that this process may use.

    Raises:
        ConversionError: the worker failed.
        ConversionStopped: `stop` said yes.
    """
    request = ReferenceRequest(
        hf=base.hf.resolve(),
        adapter=adapter.resolve() if adapter else None,
        weights=weights,
        prompts=[list(prompt) for prompt in prompts],
        tokens=tokens,
        threads=threads or usable_cores(),
        out=folder.resolve(),
    )
    module = "studio.conversion.parity.reference"
    answer = run_worker(module, request, ReferenceAnswer, timeout=TIMEOUT_SECONDS, progress=progress, stop=stop)
    return ParityReference(folder, request.prompts, answer.continuations)


def compare_with(
    reference: ParityReference,
    gguf: Path,
    *,
    adapter: Path | None = None,
    threads: int = 0,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> ParityReport:
    """Let llama.cpp do with `gguf` what the reference did, and compare.

    Args:
        adapter: a LoRA GGUF to lay over `gguf`.

    Raises:
        ConversionError: the worker failed.
        ConversionStopped: `stop` said yes.
    """
    request = CandidateRequest(
        gguf=gguf.resolve(),
        prompts=reference.prompts,
        continuations=reference.continuations,
        reference=reference.folder.resolve(),
        threads=threads or usable_cores(),
        adapter=adapter.resolve() if adapter else None,
    )
    module = "studio.conversion.parity.candidate"
    answer = run_worker(module, request, CandidateAnswer, timeout=TIMEOUT_SECONDS, progress=progress, stop=stop)
    return ParityReport(prompts=answer.prompts)
