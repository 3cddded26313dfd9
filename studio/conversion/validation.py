"""Inspect a GGUF file of any origin: whether it is whole, says what a player needs, and runs in llama.cpp.

What a valid report does not say: whether the model is any good, or whether its weights are the trained ones; the first
is the report card's business, the second the parity check's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, computed_field

from studio.bases import load_template
from studio.conversion.gguf_header import GGUFHeader, TensorInfo, aligned, read_header
from studio.conversion.metadata import BASE_FAMILY, CHAT_TEMPLATE, TOKENS
from studio.conversion.validation_worker import RunAnswer, RunRequest
from studio.conversion.worker_process import run_worker
from studio.errors import ConversionError, StudioError
from studio.jobs import usable_cores

TIMEOUT_SECONDS = 600.0
PROMPT = "You open the old door and see"
GENERATED_TOKENS = 8
MAX_TEXT = 20_000
_MAX_NAME_BYTES = 63
_NEEDED_TEXTS = ("general.architecture", "tokenizer.ggml.model")
_NEEDED_NUMBERS = (
    "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
)  # fmt: skip
CheckName = Literal["structure", "metadata", "chat_template", "runs"]


class Check(BaseModel):
    """One question about a file and its answer in a sentence."""

    name: CheckName
    passed: bool
    detail: str


class TensorGroup(BaseModel):
    """All tensors of one type: how many, and their bytes together."""

    type: str
    tensors: int
    bytes: int


class GGUFReport(BaseModel):
    """What is in a GGUF file and whether it can be used.

    Attributes:
        metadata: single values by key; long texts are cut.
        arrays: number of items by key.
    """

    path: Path
    size: int
    checks: list[Check]
    architecture: str = ""
    metadata: dict[str, str | bool | int | float] = Field(default_factory=dict)
    arrays: dict[str, int] = Field(default_factory=dict)
    tensor_types: list[TensorGroup] = Field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def valid(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def check(self, name: CheckName) -> Check:
        """The check of that name."""
        return next(check for check in self.checks if check.name == name)


def inspect_gguf(path: Path, *, timeout: float = TIMEOUT_SECONDS) -> GGUFReport:
    """Look at a file and let llama.cpp play eight tokens with it in a process of its own.

    A file that is damaged, hostile or missing gives a report that says so; nothing is raised for it.

    Args:
        timeout: seconds that llama.cpp may take.
    """
    try:
        size = path.stat().st_size
        header = read_header(path)
    except OSError as error:
        return _unreadable(path, 0, f"The file cannot be read: {error.strerror}.")
    except ConversionError as error:
        return _unreadable(path, size, str(error))
    return GGUFReport(
        path=path,
        size=size,
        checks=_checks(header, timeout),
        architecture=header.architecture,
        metadata={key: _plain(value) for key, value in header.values.items()},
        arrays={key: header.count(key) for key in header.entries if key not in header.values},
        tensor_types=tensor_groups(header),
    )


def tensor_groups(header: GGUFHeader) -> list[TensorGroup]:
    """The tensors by type, most bytes first."""
    counts = Counter(tensor.type_name for tensor in header.tensors)
    sizes = {name: sum(t.size or 0 for t in header.tensors if t.type_name == name) for name in counts}
    groups = [TensorGroup(type=name, tensors=count, bytes=sizes[name]) for name, count in counts.items()]
    return sorted(groups, key=lambda group: -group.bytes)


def structure_faults(header: GGUFHeader) -> Iterator[str]:
    """What is wrong with the tensors as the header describes them, one sentence each."""
    if not header.tensors:
        yield "It holds no tensors."
    names = Counter(tensor.name for tensor in header.tensors)
    yield from (f"The tensor {name[:80]!r} occurs {count} times." for name, count in names.items() if count > 1)
    for tensor in header.tensors:
        if fault := _tensor_fault(header, tensor):
            yield fault
    end = 0
    for tensor in sorted(header.tensors, key=lambda one: one.offset):
        if tensor.offset < end:
            yield f"The data of {tensor.name[:80]!r} overlaps another tensor's."
        end = max(end, tensor.offset + (tensor.size or 0))


def _tensor_fault(header: GGUFHeader, tensor: TensorInfo) -> str:
    name = repr(tensor.name[:80])
    if len(tensor.name.encode()) > _MAX_NAME_BYTES:
        return f"The tensor name {name} is longer than llama.cpp allows."
    if 0 in tensor.shape:
        return f"The tensor {name} is empty."
    if tensor.size is None:
        return f"The tensor {name} has the type {tensor.type_name}, which does not fit rows of {tensor.shape[0]}."
    if tensor.offset != aligned(tensor.offset, header.alignment):
        return f"The data of {name} does not start at a multiple of {header.alignment} bytes."
    if header.data_offset + tensor.offset + tensor.size > header.file_size:
        return f"The data of {name} ends behind the end of the file: the file is cut off."
    return ""


def metadata_faults(header: GGUFHeader) -> Iterator[str]:
    """What llama.cpp and the studio need to know and the file does not say, one sentence each."""
    yield from (f"{key} is missing." for key in _NEEDED_TEXTS if not header.text(key))
    if header.architecture:
        keys = [f"{header.architecture}.{name}" for name in _NEEDED_NUMBERS]
        yield from (f"{key} is missing." for key in keys if key not in header.entries)
        yield from (f"{key} is not above zero." for key in keys if (header.integer(key) or 1) < 1)
    if not header.count(TOKENS):
        yield f"{TOKENS} is missing: there is no vocabulary."


def _checks(header: GGUFHeader, timeout: float) -> list[Check]:
    structure = _verdict("structure", list(structure_faults(header)), f"{len(header.tensors)} tensors, all in place.")
    metadata = _verdict("metadata", list(metadata_faults(header)), "All that llama.cpp needs is there.")
    return [structure, metadata, _template_check(header), _run_check(header.path, timeout, sound=structure.passed)]


def _template_check(header: GGUFHeader) -> Check:
    template, family = header.text(CHAT_TEMPLATE), header.text(BASE_FAMILY)
    if not template:
        return _verdict("chat_template", [f"{CHAT_TEMPLATE} is missing: players would have to guess the format."], "")
    if not family:
        return _verdict("chat_template", [], "There is one; it is not the studio's, so it was not compared.")
    try:
        same = template == load_template(family).source
    except StudioError as error:
        return _verdict("chat_template", [str(error)], "")
    faults = [] if same else [f"It is not the template that the studio trains {family} models with."]
    return _verdict("chat_template", faults, f"It is the one that {family} models are trained with.")


def _run_check(path: Path, timeout: float, *, sound: bool) -> Check:
    if not sound:
        return _verdict("runs", ["Not tried, because the file is damaged."], "")
    request = RunRequest(gguf=path.resolve(), text=PROMPT, tokens=GENERATED_TOKENS, threads=max(1, usable_cores() // 2))
    try:
        answer = run_worker("studio.conversion.validation_worker", request, RunAnswer, timeout=timeout)
    except ConversionError as error:
        return _verdict("runs", [str(error)], "")
    faults = [] if answer.finite else ["Its logits are not finite numbers: the weights are spoilt."]
    return _verdict("runs", faults, f"llama.cpp goes on from {PROMPT!r} with {answer.text!r}.")


def _verdict(name: CheckName, faults: list[str], praise: str) -> Check:
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return Check(name=name, passed=not faults, detail=" ".join(faults[:3]) + more if faults else praise)


def _unreadable(path: Path, size: int, why: str) -> GGUFReport:
    return GGUFReport(path=path, size=size, checks=[_verdict("structure", [why], "")])


def _plain(value: str | bool | int | float) -> str | bool | int | float:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + " ..."
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
