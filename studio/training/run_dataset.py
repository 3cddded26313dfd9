"""The rows of a run: made from the scenarios when it begins, and the very same ones when it is resumed."""

from __future__ import annotations

import json
from pathlib import Path

from studio.bases import BaseModel
from studio.config import TrainingConfig
from studio.dataset import Balance, ProcessedDataset, TrainingDataProcessor, balance_of
from studio.errors import DatasetError, TrainingError
from studio.training.runs import DATASET_FILE
from studio.workspace import Workspace, atomic_write

BALANCE_FILE = "balance.json"


def new_dataset(
    workspace: Workspace, run: Path, base: BaseModel, config: TrainingConfig, scenarios: Path
) -> ProcessedDataset:
    """The scenarios as they are now; what they are is kept in the run's dataset.json. Raises `DatasetError`."""
    dataset = _processor(workspace, base, config).process_scenarios(scenarios)
    # Bases that share tokenizer and template share the processed rows; the run's copy names its own base.
    own = dataset.manifest.model_copy(update={"base_model": base.name, "base_fingerprint": base.fingerprint})
    atomic_write(run / DATASET_FILE, own.model_dump_json(indent=1) + "\n")
    return dataset


def same_dataset(
    workspace: Workspace, run: Path, base: BaseModel, config: TrainingConfig, scenarios: Path
) -> ProcessedDataset:
    """The rows that the run began with, though the scenarios may have changed since.

    Raises:
        DatasetError: dataset.json of the run is damaged.
        TrainingError: the rows are gone and cannot be made again, or the base model is another one now.
    """
    began_with = ProcessedDataset.load(run).manifest
    if began_with.base_fingerprint != base.fingerprint:
        raise TrainingError(
            f"The base model {base.name} has changed since this run began.",
            why="It was imported again, with other files.",
            next_step="Start a new run.",
        )
    try:
        return ProcessedDataset.load(workspace.inside(workspace.processed_dir, began_with.fingerprint))
    except DatasetError:
        again = _processor(workspace, base, config).process_scenarios(scenarios)
    if again.fingerprint != began_with.fingerprint:
        raise TrainingError(
            "The scenarios have changed since this run began, and its rows are no longer in data/processed.",
            next_step=f"Start a new run; it can begin with what this one learned (--from {run.name}).",
        )
    return again


def balanced(run: Path, config: TrainingConfig, dataset: ProcessedDataset) -> Balance | None:
    """How often the run reads each row, None where nothing is balanced; its tables are kept in the run's balance.json.

    Raises:
        DatasetError: the rows cannot be read.
    """
    asked = config.dataset.balance if config.dataset else None
    made = balance_of(dataset, asked, config.seed) if asked else None
    if asked and made:
        told = {"asked": asked.model_dump(mode="json"), "seed": config.seed, **made.as_dict()}
        atomic_write(run / BALANCE_FILE, json.dumps(told, indent=1) + "\n")
    return made


def _processor(workspace: Workspace, base: BaseModel, config: TrainingConfig) -> TrainingDataProcessor:
    return TrainingDataProcessor.configured(workspace, base, config.max_seq_length, config.dataset)
