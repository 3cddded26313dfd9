"""What a LoRA GGUF says of itself, and whether it may be laid over the model file that is loaded. No llama.cpp here."""

from __future__ import annotations

from pathlib import Path

from studio.conversion.formats.gguf_header import GGUFHeader, read_header
from studio.conversion.merging.lora_gguf import BASE_FILE_HASH
from studio.conversion.metadata import ADAPTER, BASE_NAME, BASE_SHA256
from studio.errors import ConversionError, PlayError
from studio.play.hosts.protocol import AdapterInfo, HostInfo
from studio.workspace import sha256_file


def read_overlay(path: Path) -> AdapterInfo:
    """The adapter file as a client is told about it.

    Raises:
        PlayError: it cannot be read, or is no LoRA in GGUF form.
    """
    header = _header(path)
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise PlayError(
            "This file is no adapter.", next_step="Choose a file whose name ends in .lora.gguf.", where=path.name
        )
    return AdapterInfo(
        path=str(path),
        sha256=sha256_file(path),
        size_bytes=path.stat().st_size,
        name=header.text("general.name"),
        parents={key: header.text(key) for key in header.entries if key.startswith("studio.") and header.text(key)},
    )


def fitting_overlay(path: Path, model: HostInfo) -> AdapterInfo:
    """`read_overlay`, refused if it was made for another model than the loaded one. Raises `PlayError`."""
    adapter = read_overlay(path)
    check_base(adapter, model)
    return adapter


def check_base(adapter: AdapterInfo, model: HostInfo) -> None:
    """Refuse an adapter that says it was made for another base model than the loaded file is.

    The base's own file is right, and so is any file that the studio made of the same base alone, such as another
    quantization. An adapter that says nothing is let through: llama.cpp then compares names and shapes.

    Raises:
        PlayError: it is for another base, or the file has an adapter merged into it already.
    """
    wanted_file, wanted_base = adapter.parents.get(BASE_FILE_HASH), adapter.parents.get(BASE_SHA256)
    if ADAPTER in model.parents:
        raise PlayError(
            "An adapter can only be laid over a base model.",
            why="The file has an adapter merged into it already.",
            next_step="Play that file as it is, or choose the base model's own.",
        )
    known = wanted_file or wanted_base
    if known and model.sha256 != wanted_file and (not wanted_base or model.parents.get(BASE_SHA256) != wanted_base):
        raise PlayError(
            "This adapter was trained on another base model.",
            why=f"It names {adapter.parents.get(BASE_NAME, 'a base')} ({known[:12]}...), "
            f"the loaded file is {model.sha256[:12]}....",
            next_step="Choose the base model that it was trained on.",
        )


def with_adapter(model: HostInfo, adapter: AdapterInfo | None) -> HostInfo:
    """What a client is told: the loaded model, which says nothing of an adapter yet, with one over it or none."""
    parents = {**model.parents, **adapter.parents} if adapter else model.parents
    return model.model_copy(update={"adapter": adapter, "parents": parents})


def _header(path: Path) -> GGUFHeader:
    try:
        return read_header(path)
    except ConversionError as error:
        step = error.next_step or "Choose another adapter, or make its file again."
        raise PlayError(error.what, why=error.why, next_step=step, where=path.name) from error
