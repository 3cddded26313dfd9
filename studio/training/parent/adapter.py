"""The earlier adapter that a run goes on from (incremental training): found, checked, and copied into the run.

Only the weights (safetensors), rank, alpha and target modules are taken; no PEFT code reads the rest. The copy makes
the run independent of the folder it came from.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from studio.bases import BaseModel as Base
from studio.config import TrainingConfig
from studio.errors import TrainingError
from studio.training.parent.learned import Learned
from studio.training.provenance import CONFIG_FILE, PROVENANCE_FILE, WEIGHTS_FILE, Provenance
from studio.workspace import sha256_file


class _LoraSettings(BaseModel):
    """What of adapter_config.json decides how the weights are used. What else it holds shows in the weights' names."""

    peft_type: Literal["LORA"]
    r: int
    lora_alpha: int
    target_modules: list[str]
    use_rslora: bool = False
    use_dora: bool = False
    alpha_pattern: dict[str, Any] | None = None


@dataclass(frozen=True)
class ParentAdapter:
    """An adapter that training can go on from. `read_parent` gives one."""

    folder: Path
    provenance: Provenance
    rank: int
    alpha: int
    target_modules: tuple[str, ...]
    rslora: bool = False
    dora: bool = False

    def settings(self, config: TrainingConfig) -> TrainingConfig:
        """`config` with what must be as it was: rank, alpha, their scale and target modules."""
        fixed = {
            "lora_rank": self.rank,
            "lora_alpha": self.alpha,
            "use_rslora": self.rslora,
            "use_dora": self.dora,
            "target_modules": list(self.target_modules),
        }
        return TrainingConfig.model_validate({**config.model_dump(), **fixed})

    def check_base(self, base: Base) -> None:
        """Raise `TrainingError` unless the adapter was trained on just this base model."""
        if self.provenance.base_sha256 == base.fingerprint:
            return
        trained_on = self.provenance.base
        same_name = trained_on == base.name
        raise TrainingError(
            "An adapter can only be trained further on the base model it was made for.",
            why=f"It was made for {trained_on}" + (" as it was before it was imported again." if same_name else
                                                   f", and these settings train {base.name}."),
            next_step="Start a run without it." if same_name else f"Set base_model to {trained_on}.",
            where=self.provenance.run,
        )  # fmt: skip

    def copy_into(self, folder: Path) -> None:
        """Copy weights, configuration, provenance and what is learned; what else lies beside them is left behind."""
        learned = Learned.beside(self.folder)
        folder.mkdir(parents=True)
        if learned:
            learned.write(folder)
        for name in (WEIGHTS_FILE, CONFIG_FILE, PROVENANCE_FILE):
            shutil.copyfile(self.folder / name, folder / name)


def read_parent(folder: Path) -> ParentAdapter:
    """The adapter in `folder`. Raises `TrainingError` when it is damaged or no plain LoRA."""
    provenance = Provenance.read(folder)
    try:
        settings = _LoraSettings.model_validate_json((folder / CONFIG_FILE).read_bytes())
        intact = sha256_file(folder / WEIGHTS_FILE) == provenance.adapter_sha256
    except (OSError, ValidationError) as error:
        raise _unusable(folder, str(error)) from error
    if settings.alpha_pattern:
        raise _unusable(folder, "It has another alpha for some layers (alpha_pattern).")
    if not intact:
        raise _unusable(
            folder, f"{WEIGHTS_FILE} is not the file that {PROVENANCE_FILE} names: it was changed or damaged."
        )
    modules = tuple(sorted(settings.target_modules))
    scale = (settings.r, settings.lora_alpha)
    return ParentAdapter(folder, provenance, *scale, modules, settings.use_rslora, settings.use_dora)


def _unusable(folder: Path, why: str) -> TrainingError:
    return TrainingError(
        "Training cannot go on from this adapter.",
        why=why,
        next_step="Choose the adapter of a finished run of the studio.",
        where=folder.name,
    )
