"""The parity check of files that the studio made: their base and adapter are found, and each file is held to its bound.

The bounds are per quantization type, for the mean KL divergence from the merged model over the tokens that it says
itself; `docs/conversion.md` tells how they were measured.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel as Model

from studio.bases import BaseModel, get_base
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.formats.gguf_stream import ProgressCallback, StopCallback
from studio.conversion.merging.adapter import LoraAdapter, read_adapter
from studio.conversion.merging.merge import merge_to_gguf
from studio.conversion.metadata import ADAPTER, BASE_NAME, BASE_SHA256, RUN
from studio.conversion.parity.comparison import ParityReference, ParityReport, compare_with, make_reference
from studio.conversion.quantization.types import file_type_name
from studio.conversion.sources import run_adapter
from studio.errors import ConversionError
from studio.workspace import Workspace, sha256_file

TOKENS = 16
UNQUANTIZED = ("F16", "BF16", "F32")
ADAPTER_TYPE = "LoRA"
MAX_LOGIT_DIFFERENCE = 0.1
"""For unquantized files: on some processors llama.cpp rounds activations to float16, and no more may differ."""
MAX_KL = {
    "F32": 1e-4, "F16": 1e-4, "BF16": 1e-3, ADAPTER_TYPE: 1e-4,
    "Q8_0": 0.015, "Q6_K": 0.06, "Q5_1": 0.3, "Q5_K_M": 0.3, "Q5_K_S": 0.3, "Q5_0": 0.3,
    "Q4_1": 0.6, "Q4_K_M": 0.6, "Q4_K_S": 0.6, "IQ4_NL": 0.6, "Q4_0": 0.8, "IQ4_XS": 0.6,
}  # fmt: skip
"""Largest mean KL divergence (nats) of a type. Types with fewer bits have none: their quality is to be measured."""
QUESTIONS = (
    "I push the door open and look around.",
    "I want to sneak past the goblins.",
    "What does the innkeeper know about the missing caravan?",
)


class FileParity(Model):
    """One file against the merged transformers model.

    Attributes:
        type: its quantization type; 'LoRA' for an adapter that was laid over its base.
        same_tokens: greedy tokens, of `tokens`, that agree before the first difference of each prompt.
        max_difference: largest difference of a logit, rows shifted to mean 0.
        kl_divergence: mean over the tokens, in nats.
        bound: what the mean may be; None where the type has no bound.
    """

    path: Path
    type: str
    tokens: int
    same_tokens: int
    max_difference: float
    kl_divergence: float
    max_kl_divergence: float
    bound: float | None
    passed: bool


@dataclass(frozen=True)
class _Parents:
    """What a file was made from."""

    base: BaseModel
    adapter: LoraAdapter | None


def check_files(
    workspace: Workspace,
    files: Sequence[Path],
    *,
    questions: Sequence[str] = QUESTIONS,
    tokens: int = TOKENS,
    threads: int = 0,
    progress: ProgressCallback | None = None,
    stop: StopCallback | None = None,
) -> list[FileParity]:
    """Compare files that were made from the same base and adapter with the model that transformers and PEFT merge.

    Args:
        questions: what the player says, one conversation each, in the chat format of the base.
        tokens: how far each is continued.

    Raises:
        ConversionError: a file does not say what it was made from, its run or base changed since, or a worker failed.
        ConversionStopped: `stop` said yes.
    """
    headers = [read_header(path) for path in files]
    parents = _common_parents(workspace, headers)
    prompts = [_prompt(parents.base, question) for question in questions]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        adapter = parents.adapter.folder if parents.adapter else None
        reference = make_reference(
            Path(folder), parents.base, adapter, prompts, tokens=tokens, threads=threads, stop=stop
        )
        for number, header in enumerate(headers):
            if progress:
                progress(number, len(headers))
            found.append(_compare(reference, header, parents.base, Path(folder), threads, stop))
    return found


def verdict(path: Path, type_name: str, report: ParityReport) -> FileParity:
    """Hold a report to the bound of the file's type."""
    bound = MAX_KL.get(type_name)
    exact = type_name in (*UNQUANTIZED, ADAPTER_TYPE)
    close = not exact or (report.agrees and report.max_difference <= MAX_LOGIT_DIFFERENCE)
    return FileParity(
        path=path,
        type=type_name,
        tokens=sum(prompt.tokens for prompt in report.prompts),
        same_tokens=sum(prompt.same_tokens for prompt in report.prompts),
        max_difference=report.max_difference,
        kl_divergence=report.kl_divergence,
        max_kl_divergence=report.max_kl_divergence,
        bound=bound,
        passed=close and (bound is None or report.kl_divergence <= bound),
    )


def _compare(
    reference: ParityReference,
    header: GGUFHeader,
    base: BaseModel,
    folder: Path,
    threads: int,
    stop: StopCallback | None,
) -> FileParity:
    if header.text("general.type") != "adapter":
        report = compare_with(reference, header.path, threads=threads, stop=stop)
        return verdict(header.path, file_type_name(header) or "unknown", report)
    under = folder / "base.f16.gguf"
    if not under.exists():
        merge_to_gguf(base, None, under, stop=stop)
    report = compare_with(reference, under, adapter=header.path, threads=threads, stop=stop)
    return verdict(header.path, ADAPTER_TYPE, report)


def _common_parents(workspace: Workspace, headers: Sequence[GGUFHeader]) -> _Parents:
    made_from = {(one.text(BASE_SHA256), one.text(ADAPTER)) for one in headers}
    if len(made_from) != 1:
        raise ConversionError(
            "These files were not made from the same model.",
            why="They name different bases or adapters, or there are none.",
            next_step="Check them one by one.",
        )
    header = headers[0]
    if not header.text(BASE_NAME):
        raise ConversionError(
            "This file does not say what it was made from, so there is nothing to compare it with.",
            next_step="Only files that the studio converted can be checked.",
            where=header.path.name,
        )
    base = get_base(workspace, header.text(BASE_NAME))
    if base.fingerprint != header.text(BASE_SHA256):
        raise _changed(header, f"the base model {base.name}")
    return _Parents(base, _adapter(workspace, header))


def _adapter(workspace: Workspace, header: GGUFHeader) -> LoraAdapter | None:
    if not header.text(ADAPTER):
        return None
    adapter = read_adapter(run_adapter(workspace, header.text(RUN)))
    if sha256_file(adapter.weights) != header.text(ADAPTER):
        raise _changed(header, f"the adapter of the run {header.text(RUN)}")
    return adapter


def _changed(header: GGUFHeader, what: str) -> ConversionError:
    return ConversionError(
        f"{header.path.name} was made from something else than {what} as it is now.",
        why="The SHA-256 in the file is another one.",
        next_step="Convert the run again.",
    )


def _prompt(base: BaseModel, question: str) -> list[int]:
    text = base.template().render([_Said("user", question)], add_generation_prompt=True)
    return list(base.tokenizer().encode(text, add_special_tokens=False).ids)


@dataclass(frozen=True)
class _Said:
    role: str
    content: str
