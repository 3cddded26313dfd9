"""provenance.json beside an adapter: the SHA-256 of everything that it was made from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from studio.config import TrainingConfig, settings_digest
from studio.errors import TrainingError
from studio.workspace import atomic_write

PROVENANCE_FILE = "provenance.json"
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"


class Provenance(BaseModel):
    """The parents of an adapter. Fields of a newer studio are ignored when it is read."""

    base: str = Field(description="Name of the base model.")
    base_sha256: str = Field(description="`BaseModel.fingerprint` of the base model.")
    dataset_fingerprint: str
    config_sha256: str = Field(description="`config_digest` of the settings.")
    adapter_sha256: str = Field("", description=f"Of {WEIGHTS_FILE}; filled in when that is written.")
    parent_adapter_sha256: str = Field("", description="The adapter that training went on from; empty: from nothing.")
    run: str
    step: int = Field(0, description="Optimizer step after which it was taken; 0: the last one.")
    held_out_loss: float | None = Field(None, description="Nats per trained token at that step, where it was measured.")

    @classmethod
    def read(cls, adapter: Path) -> Provenance:
        """The provenance of the adapter in a folder.

        Raises:
            TrainingError: there is none, or it cannot be read.
        """
        path = adapter / PROVENANCE_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise TrainingError(
                "This adapter does not say what it was made from.",
                why=str(error).splitlines()[0],
                next_step=f"Choose the adapter of a run of the studio; it has a {PROVENANCE_FILE} beside it.",
                where=adapter.name,
            ) from error

    def write(self, adapter: Path) -> None:
        """Put it beside the adapter in a folder, atomically."""
        atomic_write(adapter / PROVENANCE_FILE, self.model_dump_json(indent=1) + "\n")


def config_digest(config: TrainingConfig) -> str:
    """SHA-256 of the settings, whatever the order of their keys in a file."""
    return settings_digest(config)
