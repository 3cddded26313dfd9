"""What an evaluation is asked to do, as the job's folder keeps it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from studio.conversion import resolve_playable
from studio.conversion.places import LORA_ENDING
from studio.errors import EvaluationError
from studio.play.hosts.protocol import joint_sha256
from studio.workspace import Workspace, sha256_file

_FROZEN = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class EvaluationSettings(BaseModel):
    """How turns are generated and judged. The same settings, files and number of threads give the same figures."""

    model_config = _FROZEN

    seed: int = Field(7, ge=0, lt=2**32, description="Of the bootstrap; generation is greedy and needs none.")
    max_tokens: int = Field(160, ge=1, le=4096, description="Longest reply in tokens.")
    context_tokens: int = Field(4096, ge=256, description="Context window; older turns are hidden as in play.")
    threads: int = Field(0, ge=0, description="Processor threads; 0 means one per core.")
    max_turns: int = Field(0, ge=0, description="Judge at most so many DM turns of every scenario; 0 means all.")
    stress: bool = Field(True, description="Also ask for the stress turns.")


class ModelFile(BaseModel):
    """A GGUF file, or one with a LoRA GGUF laid over it, and how the report calls it."""

    model_config = _FROZEN

    label: str
    path: Path
    sha256: str = Field(description="Of the file; with an adapter, of what is played (`HostInfo.played_sha256`).")
    adapter: Path | None = None

    @classmethod
    def of(cls, path: Path, label: str = "", adapter: Path | None = None) -> ModelFile:
        """The file with its hash.

        Raises:
            EvaluationError: it is not there.
        """
        for one in (path, adapter):
            if one and not one.is_file():
                raise EvaluationError(
                    "This model file is not there.", next_step="Choose another model.", where=one.name
                )
        digest = sha256_file(path)
        if adapter:
            adapter, digest = adapter.resolve(), joint_sha256(digest, sha256_file(adapter))
        return cls(label=label or _label(path), path=path.resolve(), sha256=digest, adapter=adapter)

    @property
    def size_bytes(self) -> int:
        """Of the file, and of the adapter over it."""
        return self.path.stat().st_size + (self.adapter.stat().st_size if self.adapter else 0)


class EvaluationRequest(BaseModel):
    """One evaluation: which files on which scenarios. The first model is the baseline of the comparisons."""

    model_config = _FROZEN

    workspace: Path
    models: tuple[ModelFile, ...]
    scenarios: tuple[Path, ...]
    settings: EvaluationSettings = EvaluationSettings()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits: the same question has the same, and therefore goes on where it was left."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


def model_files(workspace: Workspace, models: Sequence[str | Path]) -> tuple[ModelFile, ...]:
    """The files that were asked for, with labels that tell them apart. An adapter's folder is laid over its base.

    Raises:
        EvaluationError: none was chosen, or one is not there.
        ConversionError: an adapter cannot be laid over its base.
    """
    if not models:
        raise EvaluationError("No model was chosen.", next_step="Choose at least one GGUF file.")
    files = [_model_file(workspace, _located(workspace, Path(one))) for one in dict.fromkeys(models)]
    labels = [one.label for one in files]
    return tuple(
        one.model_copy(update={"label": _longer_label(one)}) if labels.count(one.label) > 1 else one for one in files
    )


def scenario_files(workspace: Workspace, scenarios: Sequence[str | Path] = ()) -> tuple[Path, ...]:
    """The scenario files that were asked for; without a choice all of `data/validation/`.

    Folders stand for the markdown files in them.

    Raises:
        EvaluationError: there is none.
    """
    chosen = [_located(workspace, Path(one)) for one in scenarios] or [workspace.validation_dir]
    files = [file for one in chosen for file in (sorted(one.rglob("*.md")) if one.is_dir() else [one])]
    missing = [one for one in files if not one.is_file()]
    if missing or not files:
        raise EvaluationError(
            "There is no scenario to evaluate with.",
            why=f"{missing[0].name} is not there." if missing else "The folder holds no markdown file.",
            next_step="Put scenarios that are never trained on into data/validation/.",
            where=workspace.relative(chosen[0]),
        )
    return tuple(dict.fromkeys(one.resolve() for one in files))


def _located(workspace: Workspace, path: Path) -> Path:
    return path if path.is_absolute() else workspace.root / path


def _model_file(workspace: Workspace, path: Path) -> ModelFile:
    if not (path.is_dir() or path.name.endswith(LORA_ENDING)):
        return ModelFile.of(path)
    found = resolve_playable(workspace, path)
    return ModelFile.of(found.path, found.name, found.adapter)


def _label(path: Path) -> str:
    """The file's name; a base model's file is called like every other's, so there it is the folder's."""
    return path.parent.name if path.name == "base.gguf" else path.stem


def _longer_label(model: ModelFile) -> str:
    named = model.label if model.adapter else f"{model.path.parent.name}/{model.path.stem}"
    return f"{named} {model.sha256[:6]}"
