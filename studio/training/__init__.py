"""Training: LoRA runs as jobs. Importing this package loads no torch; the worker and `ModelTrainer` do."""

from typing import TYPE_CHECKING, Any

from studio.training.provenance import Provenance
from studio.training.runs import (
    ADAPTER_DIR,
    Run,
    find_adapter,
    find_run,
    free_name,
    list_runs,
    resume_run,
    start_run,
    stop_run,
)
from studio.training.upkeep import Dependants, delete_run, dependants, read_note, write_note

if TYPE_CHECKING:
    from studio.training.trainer import ModelTrainer

__all__ = [
    "ADAPTER_DIR",
    "Dependants",
    "ModelTrainer",
    "Provenance",
    "Run",
    "delete_run",
    "dependants",
    "find_adapter",
    "find_run",
    "free_name",
    "list_runs",
    "read_note",
    "resume_run",
    "start_run",
    "stop_run",
    "write_note",
]


def __getattr__(name: str) -> Any:
    """`ModelTrainer` is imported on first use, because it brings torch."""
    if name == "ModelTrainer":
        from studio.training.trainer import ModelTrainer

        return ModelTrainer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
