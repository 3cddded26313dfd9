"""The metadata of a converted model: the base's tokenizer and sizes, the training template, and its parents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gguf.constants import MODEL_ARCH_NAMES

from studio import __version__
from studio.bases import BaseModel
from studio.conversion.families import Checkpoint
from studio.conversion.formats.gguf_header import GGUFHeader, Scalar, read_header
from studio.conversion.formats.gguf_stream import TypedValue, copied
from studio.conversion.merging.adapter import LoraAdapter
from studio.conversion.merging.hyperparameters import hyperparameters
from studio.errors import ConversionError
from studio.workspace import sha256_file

CHAT_TEMPLATE = "tokenizer.chat_template"
BASE_FAMILY = "studio.base.family"
BASE_NAME, BASE_SHA256 = "studio.base.name", "studio.base.sha256"
ADAPTER, PARENT_ADAPTER = "studio.adapter.sha256", "studio.parent_adapter.sha256"
RUN = "studio.run"
STUDIO_VERSION = "studio.version"
PARENT_KEYS = {
    BASE_SHA256: "base",
    ADAPTER: "adapter",
    "studio.dataset.fingerprint": "dataset",
    "studio.config.sha256": "settings",
}
"""Keys that hold the hashes of what a file was made from, and what a reader calls each."""
TOKENS = "tokenizer.ggml.tokens"
QUANTIZATION_VERSION = 2
_NOT_INHERITED = (
    "general.file_type", "general.quantization_version", "general.alignment", "general.name",
    "quantize.", "split.", "studio.", CHAT_TEMPLATE,
)  # fmt: skip


@dataclass(frozen=True)
class ModelMetadata:
    """What goes into the header besides the tensors, and what the tensors must agree with.

    Attributes:
        values: plain values, or values with the type they had in another file, by key.
        tokens: size of the vocabulary.
        reference: the base's own GGUF, if it came as one.
    """

    values: dict[str, Scalar | TypedValue]
    tokens: int
    reference: GGUFHeader | None


def model_metadata(
    base: BaseModel, checkpoint: Checkpoint, adapter: LoraAdapter | None, file_type: int
) -> ModelMetadata:
    """Metadata of `base` with `adapter` merged into it.

    Args:
        file_type: llama.cpp's number for the type of most tensors.

    Raises:
        ConversionError: the base has no tokenizer metadata, or config.json says something that cannot be converted.
    """
    title = (adapter.provenance.run if adapter else "") or base.manifest.title
    reference = _reference(base, checkpoint)
    if reference:
        values = copied(reference, (key for key in reference.entries if not key.startswith(_NOT_INHERITED)))
        tokens = reference.count(TOKENS)
    else:
        donor = _tokenizer_donor(base)
        keys = (key for key in donor.entries if key.startswith("tokenizer.") and not key.startswith(CHAT_TEMPLATE))
        values = {**hyperparameters(checkpoint, title), **copied(donor, keys)}
        tokens = donor.count(TOKENS)
    values |= {
        "general.name": title,
        "general.file_type": file_type,
        "general.quantization_version": QUANTIZATION_VERSION,
        CHAT_TEMPLATE: base.template().source,
    }
    return ModelMetadata({**values, **provenance_values(base, adapter)}, tokens, reference)


def provenance_values(base: BaseModel, adapter: LoraAdapter | None) -> dict[str, Scalar]:
    """The keys that name the parents of a file, `studio.*`; unknown ones are left out."""
    values: dict[str, Scalar] = {
        STUDIO_VERSION: __version__,
        BASE_NAME: base.name,
        BASE_SHA256: base.fingerprint,
        BASE_FAMILY: base.family,
    }
    if adapter:
        values |= {
            ADAPTER: sha256_file(adapter.weights),
            PARENT_ADAPTER: adapter.provenance.parent_adapter_sha256,
            "studio.dataset.fingerprint": adapter.provenance.dataset_fingerprint,
            "studio.config.sha256": adapter.provenance.config_sha256,
            RUN: adapter.provenance.run,
        }
    return {key: value for key, value in values.items() if value}


def _reference(base: BaseModel, checkpoint: Checkpoint) -> GGUFHeader | None:
    if not base.gguf:
        return None
    header, expected = read_header(base.gguf), MODEL_ARCH_NAMES[checkpoint.architecture.gguf]
    if header.architecture != expected:
        raise ConversionError(
            "The base model's base.gguf and its training form do not belong together.",
            why=f"One is a {header.architecture or 'nameless'} model, the other a {expected} model.",
            next_step="Import the base model again.",
        )
    return header


def _tokenizer_donor(base: BaseModel) -> GGUFHeader:
    """The GGUF of another imported base with the very same tokenizer.json."""
    wanted = _tokenizer_hash(base.directory)
    for path in sorted(base.directory.parent.glob("*/base.gguf")):
        if wanted and _tokenizer_hash(path.parent) == wanted:
            return read_header(path)
    raise ConversionError(
        f"{base.name} came without a GGUF file, so its tokenizer is not known in llama.cpp's form.",
        why="No other imported base model has the same tokenizer.json.",
        next_step="Import a GGUF file of the same model instead, or of one that shares its tokenizer.",
    )


def _tokenizer_hash(directory: Path) -> str:
    path = directory / "hf" / "tokenizer.json"
    return sha256_file(path) if path.is_file() else ""
