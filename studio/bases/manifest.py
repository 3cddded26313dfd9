"""An imported base model on disk: its manifest (base.json) and where its files are. Loads no weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pydantic

from studio.bases.families import ChatTemplate, load_template
from studio.bases.tokenization import load_tokenizer
from studio.errors import BaseModelError
from studio.workspace import atomic_write, sha256_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Family = Literal["smollm2", "llama3", "gemma3", "qwen2.5", "qwen3"]
MANIFEST_FILE = "base.json"


class FileRecord(pydantic.BaseModel):
    """One file of a base model as it was when imported."""

    sha256: str
    bytes: int


class BaseManifest(pydantic.BaseModel):
    """base.json: what the model is, where it came from, and the hash of every file."""

    name: str
    title: str
    family: Family
    licence: str
    licence_url: str = ""
    source: str
    parameters: int
    context_length: int
    vocab_size: int
    files: dict[str, FileRecord]


@dataclass(frozen=True)
class BaseModel:
    """A base model that is ready for training. `studio.bases.get_base` gives one."""

    directory: Path
    manifest: BaseManifest = field(hash=False, repr=False)

    @classmethod
    def load(cls, directory: Path) -> BaseModel:
        """Read base.json.

        Raises:
            BaseModelError: it is missing or damaged.
        """
        path = directory / MANIFEST_FILE
        try:
            manifest = BaseManifest.model_validate_json(path.read_bytes())
        except (OSError, pydantic.ValidationError) as error:
            raise BaseModelError(
                "The manifest of this base model cannot be read.",
                why=str(error).splitlines()[0],
                next_step="Delete the folder and import the model again.",
                where=str(path),
            ) from error
        return cls(directory, manifest)

    @property
    def name(self) -> str:
        """Its folder under models/base/, and what `TrainingConfig.base_model` says."""
        return self.manifest.name

    @property
    def family(self) -> Family:
        """Which chat template it speaks."""
        return self.manifest.family

    @property
    def gguf(self) -> Path | None:
        """The untouched GGUF, playable as it is; None for a model that came as a Hugging Face folder."""
        path = self.directory / "base.gguf"
        return path if path.exists() else None

    @property
    def hf(self) -> Path:
        """The folder that training loads: config.json, model.safetensors, tokenizer.json, chat_template.jinja."""
        return self.directory / "hf"

    @property
    def licence(self) -> Path:
        """The licence text that came with the model (may be missing for a user's own folder)."""
        return self.directory / "LICENSE"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the names and hashes of all its files: what adapters and GGUF files name as their parent."""
        lines = (f"{name}:{record.sha256}\n" for name, record in sorted(self.manifest.files.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def tokenizer(self) -> Tokenizer:
        """A fresh tokenizer; loading takes 0.1 to 1 s, so callers keep it. Raises `BaseModelError`."""
        return load_tokenizer(self.hf / "tokenizer.json")

    def template(self) -> ChatTemplate:
        """The chat template of its family."""
        return load_template(self.family)

    def damaged_files(self) -> list[str]:
        """Names of files that are missing or differ from base.json; reads every byte (about 1 s per GB)."""
        records = self.manifest.files.items()
        return [name for name, record in records if _hash_or_none(self.directory / name) != record.sha256]


def write_manifest(directory: Path, manifest: BaseManifest) -> None:
    """Write base.json, atomically."""
    atomic_write(directory / MANIFEST_FILE, manifest.model_dump_json(indent=2) + "\n")


def record_files(directory: Path) -> dict[str, FileRecord]:
    """Hash and size of every file below `directory` except base.json, by relative path."""
    paths = [path for path in sorted(directory.rglob("*")) if path.is_file() and path.name != MANIFEST_FILE]
    return {
        path.relative_to(directory).as_posix(): FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)
        for path in paths
    }


def _hash_or_none(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None
