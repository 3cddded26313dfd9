"""Inspect a GGUF file of any origin: whether it is whole, says what a player needs, and runs in llama.cpp.

Nothing of the file runs in this process: its header is read with every length checked, a template that is not the
studio's renders in a worker, and llama.cpp loads the weights in another one, both with limits of memory and time.

What a valid report does not say: whether the model is any good, or whether its weights are the trained ones; the first
is the report card's business, the second the parity check's.
"""

from __future__ import annotations

import math
import stat
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from gguf.constants import MODEL_ARCH_NAMES
from pydantic import BaseModel, Field, computed_field

from studio.bases import load_template
from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.inspection.structure import structure_faults
from studio.conversion.inspection.template_worker import TemplateAnswer, TemplateRequest
from studio.conversion.inspection.tokenizer import token_text, tokenizer_faults
from studio.conversion.inspection.validation_worker import RunAnswer, RunRequest
from studio.conversion.metadata import BASE_FAMILY, CHAT_TEMPLATE, TOKENS
from studio.conversion.worker_process import run_worker
from studio.errors import ConversionError, StudioError
from studio.jobs import usable_cores

TIMEOUT_SECONDS = 60.0
TEMPLATE_SECONDS = 20.0
SLOWEST_BYTES_PER_SECOND = 10e6
"""How slowly a file may be read and computed with before it counts as hanging."""
PROMPT = "You open the old door and see"
GENERATED_TOKENS = 8
MAX_TEXT = 20_000
MAX_TEMPLATE = 1 << 20
MAX_DETAIL = 2_000
_SHOWN = 80
_NEEDED_TEXTS = ("general.architecture", "tokenizer.ggml.model")
_NEEDED_NUMBERS = (
    "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
)  # fmt: skip
CheckName = Literal["structure", "metadata", "tokenizer", "chat_template", "runs"]


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


def inspect_gguf(path: Path, *, timeout: float = 0) -> GGUFReport:
    """Look at a file and let llama.cpp play eight tokens with it in a process of its own.

    A file that is damaged, hostile or missing gives a report that says so; nothing is raised for it.

    Args:
        timeout: seconds that llama.cpp may take; 0 gives it a minute, and more for a large file.
    """
    header = _header_or_report(path)
    if isinstance(header, GGUFReport):
        return header
    checks = static_checks(header)
    sound = checks[0].passed
    patience = timeout or TIMEOUT_SECONDS + header.file_size / SLOWEST_BYTES_PER_SECOND
    checks += [_template_check(header, sound=sound), _run_check(path, patience, sound=sound)]
    return _report(header, checks)


def static_checks(header: GGUFHeader) -> list[Check]:
    """The questions that reading the file answers: structure, metadata, tokenizer; no other process is started."""
    structure = list(structure_faults(header))
    return [
        _verdict("structure", structure, f"{len(header.tensors)} tensors, all in place."),
        _verdict("metadata", list(metadata_faults(header)), "All that llama.cpp needs is there."),
        _verdict("tokenizer", _tokenizer_faults(header), f"{header.count(TOKENS):,} tokens that fit together."),
    ]


def tensor_groups(header: GGUFHeader) -> list[TensorGroup]:
    """The tensors by type, most bytes first."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for tensor in header.tensors:
        counts[tensor.type_name] += 1
        sizes[tensor.type_name] += tensor.size or 0
    groups = [TensorGroup(type=name, tensors=count, bytes=sizes[name]) for name, count in counts.items()]
    return sorted(groups, key=lambda group: -group.bytes)


def metadata_faults(header: GGUFHeader) -> Iterator[str]:
    """What llama.cpp and the studio need to know and the file does not say, one sentence each."""
    if header.text("general.type") == "adapter":
        yield "It is an adapter to be laid over its base model, not a model that can be played alone."
        return
    yield from (f"{key} is missing." for key in _NEEDED_TEXTS if not header.text(key))
    if header.architecture:
        if header.architecture not in MODEL_ARCH_NAMES.values():
            yield f"The architecture {header.architecture[:_SHOWN]!r} is none that llama.cpp knows."
        keys = [f"{header.architecture}.{name}" for name in _NEEDED_NUMBERS]
        yield from (f"{key} is missing." for key in keys if key not in header.entries)
        numbers = {key: header.integer(key) for key in keys}
        yield from (f"{key} is not above zero." for key, number in numbers.items() if number is not None and number < 1)


def _header_or_report(path: Path) -> GGUFHeader | GGUFReport:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            return _unreadable(path, 0, "This is no file.")
        return read_header(path)
    except (OSError, ValueError) as error:
        return _unreadable(path, 0, f"The file cannot be read: {getattr(error, 'strerror', None) or error}.")
    except ConversionError as error:
        return _unreadable(path, found.st_size, str(error))


def _report(header: GGUFHeader, checks: list[Check]) -> GGUFReport:
    return GGUFReport(
        path=header.path,
        size=header.file_size,
        checks=checks,
        architecture=header.architecture,
        metadata={key: _plain(value) for key, value in header.values.items()},
        arrays={key: header.count(key) for key in header.entries if key not in header.values},
        tensor_types=tensor_groups(header),
    )


def _tokenizer_faults(header: GGUFHeader) -> list[str]:
    try:
        return list(tokenizer_faults(header))
    except (OSError, struct.error) as error:
        return [f"The vocabulary cannot be read: {error}."]


def _template_check(header: GGUFHeader, *, sound: bool) -> Check:
    """Present, and the one of training; one of another origin must render a conversation in the sandbox."""
    template, family = header.text(CHAT_TEMPLATE), header.text(BASE_FAMILY)
    if not template:
        return _verdict("chat_template", [f"{CHAT_TEMPLATE} is missing: players would have to guess the format."], "")
    if len(template) > MAX_TEMPLATE:
        return _verdict("chat_template", [f"{CHAT_TEMPLATE} has {len(template):,} characters, which none needs."], "")
    if not family:
        return _foreign_template_check(header, template, sound=sound)
    try:
        same = template == load_template(family[:_SHOWN]).source
    except StudioError as error:
        return _verdict("chat_template", [str(error)], "")
    faults = [] if same else [f"It is not the template that the studio trains {family} models with."]
    return _verdict("chat_template", faults, f"It is the one that {family} models are trained with.")


def _foreign_template_check(header: GGUFHeader, template: str, *, sound: bool) -> Check:
    if not sound:
        return _verdict("chat_template", ["Not tried, because the file is damaged."], "")
    bos, eos = (token_text(header, name) for name in ("bos", "eos"))
    request = TemplateRequest(source=template, bos_token=bos, eos_token=eos)
    module = "studio.conversion.inspection.template_worker"
    try:
        run_worker(module, request, TemplateAnswer, timeout=TEMPLATE_SECONDS)
    except ConversionError as error:
        return _verdict("chat_template", [f"It cannot write a plain conversation. {error}"], "")
    praise = "It renders a conversation in a sandbox; it is not the studio's, so it was not compared."
    return _verdict("chat_template", [], praise)


def _run_check(path: Path, timeout: float, *, sound: bool) -> Check:
    if not sound:
        return _verdict("runs", ["Not tried, because the file is damaged."], "")
    request = RunRequest(gguf=path.resolve(), text=PROMPT, tokens=GENERATED_TOKENS, threads=max(1, usable_cores() // 2))
    try:
        answer = run_worker("studio.conversion.inspection.validation_worker", request, RunAnswer, timeout=timeout)
    except ConversionError as error:
        return _verdict("runs", [str(error)], "")
    faults = [] if answer.finite else ["Its logits are not finite numbers: the weights are spoilt."]
    return _verdict("runs", faults, f"llama.cpp goes on from {PROMPT!r} with {answer.text!r}.")


def _verdict(name: CheckName, faults: list[str], praise: str) -> Check:
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    told = " ".join(faults[:3]) + more if faults else praise
    return Check(name=name, passed=not faults, detail=told[:MAX_DETAIL])


def _unreadable(path: Path, size: int, why: str) -> GGUFReport:
    return GGUFReport(path=path, size=size, checks=[_verdict("structure", [why], "")])


def _plain(value: str | bool | int | float) -> str | bool | int | float:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + " ..."
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
