"""The training worker: runs inside the job process and writes the run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from studio.bases import BaseModel, get_base
from studio.config import TrainingConfig, load_settings
from studio.dataset import Balance, ProcessedDataset
from studio.jobs import Worker
from studio.training.adapter_files import copy_adapter, leave_adapter
from studio.training.best import BestAdapter, Kept
from studio.training.checkpoints import MANIFEST_FILE, checkpoints, delete_checkpoint, last_whole_checkpoint
from studio.training.held_out_turns import held_out_turns
from studio.training.memory.in_use import settings_in_use
from studio.training.memory.retry import settings_of_this_attempt, starting_again, tell_memory_needed
from studio.training.pace import note_machine
from studio.training.parent.incremental import (
    Parent,
    note_what_is_learned,
    parent_check,
    parent_of,
    plan_replay,
    tell_against_parent,
)
from studio.training.processes.followers import failures_of_followers, together
from studio.training.processes.group import leader_first, leads
from studio.training.processes.sharding import is_sharded
from studio.training.provenance import WEIGHTS_FILE, Provenance, config_digest
from studio.training.reporter import Reporter
from studio.training.run_dataset import BALANCE_FILE, balanced, new_dataset, same_dataset
from studio.training.runs import ADAPTER_DIR, CONFIG_FILE, PARENT_DIR
from studio.training.trainer import ModelTrainer
from studio.workspace import Workspace, sha256_file


@dataclass(frozen=True)
class _Prepared:
    """All that training begins with, the same in every process of a run.

    Attributes:
        asked: the run's settings.
        config: what of them is used now; the batch may be smaller since memory ran out.
        begins: where training starts: a checkpoint, a parent, what of the old is replayed, and the balance.
    """

    worker: Worker
    workspace: Workspace
    scenarios: Path
    base: BaseModel
    asked: TrainingConfig
    config: TrainingConfig
    dataset: ProcessedDataset
    parent: Parent | None
    trainer: ModelTrainer
    begins: dict[str, Any]

    @property
    def run(self) -> Path:
        return self.worker.directory

    def provenance(self) -> Provenance:
        return Provenance(
            base=self.base.name,
            base_sha256=self.base.fingerprint,
            dataset_fingerprint=self.dataset.fingerprint,
            config_sha256=config_digest(self.asked),
            parent_adapter_sha256=sha256_file(self.parent.folder / WEIGHTS_FILE) if self.parent else "",
            run=self.run.name,
        )


@together
def main(worker: Worker, arguments: dict[str, Any]) -> None:
    """Process the scenarios, train, and leave the adapter with its parents' hashes."""
    transformers.utils.logging.disable_progress_bar()
    prepared = _prepare(worker, Workspace(Path(arguments["workspace"])), Path(arguments["scenarios"]))
    if leads():
        _lead(prepared)
    else:
        prepared.trainer.train(prepared.dataset, prepared.dataset, **prepared.begins)


def _prepare(worker: Worker, workspace: Workspace, scenarios: Path) -> _Prepared:
    run = worker.directory
    asked = load_settings(TrainingConfig, run / CONFIG_FILE)
    base = get_base(workspace, asked.base_model)
    with leader_first():
        if leads():
            note_machine(workspace, run)
        config = settings_of_this_attempt(worker, asked) if leads() else settings_in_use(run, asked)
        checkpoint = _checkpoint(worker)
        make = same_dataset if checkpoint or not leads() else new_dataset
        dataset = make(workspace, run, base, config, scenarios)
        balance = balanced(run, config, dataset)
    _describe(worker, dataset)
    _tell_balance(worker, balance)
    tell_memory_needed(worker, workspace, config, dataset)
    trainer = ModelTrainer(config, run, worker.message)
    trainer.load_base_model(base.hf)
    parent = parent_of(run / PARENT_DIR)
    note_what_is_learned(run, dataset, parent)
    begins: dict[str, Any] = {"resume": checkpoint, "balance": balance}
    begins["parent"] = parent.folder if parent else None
    begins["replay"] = plan_replay(worker, parent, dataset, config, balance) if parent else None
    return _Prepared(worker, workspace, scenarios, base, asked, config, dataset, parent, trainer, begins)


def _lead(prepared: _Prepared) -> None:
    """Train as the process that decides, measures and writes."""
    worker, trainer, config, parent = prepared.worker, prepared.trainer, prepared.config, prepared.parent
    best = BestAdapter(prepared.run, prepared.provenance(), config.early_stopping_patience, worker.message)
    sharded = is_sharded(config, trainer.device)
    check = parent_check(worker, parent, prepared.dataset, trainer.device) if parent and not sharded else None
    listeners = [Reporter(worker, trainer), *([best] if config.keep_best and not sharded else [])]
    listeners += [check] if check else []
    asked = (prepared.workspace, prepared.base, prepared.dataset, prepared.scenarios)
    probe = held_out_turns(*asked, config.sample_turns, worker.emit)
    with starting_again(worker, prepared.workspace, config, trainer.device), failures_of_followers():
        rows = prepared.dataset
        model = trainer.train(rows, rows, callbacks=listeners, probe=probe, **prepared.begins)
    chosen = None if worker.stop_requested() else best.better_than_the_last
    _leave(prepared, model, chosen)
    if check and parent and not worker.stop_requested():
        tell_against_parent(worker, check, parent, model, chosen.folder / WEIGHTS_FILE if chosen else None)


def _leave(prepared: _Prepared, model: Any, chosen: Kept | None) -> None:
    """The run's adapter: an earlier one that was better, or the last."""
    folder, worker = prepared.run / ADAPTER_DIR, prepared.worker
    if chosen:
        digest = copy_adapter(chosen.folder, folder)
        worker.message(f"Kept the adapter of step {chosen.step}: the held-out loss was lowest there.")
    else:
        digest = leave_adapter(model, folder, prepared.provenance())
    step, peak = chosen.step if chosen else None, prepared.trainer.peak_memory_bytes()
    worker.result({"adapter": ADAPTER_DIR, "adapter_sha256": digest, "step": step, "peak_memory_bytes": peak})


def _checkpoint(worker: Worker) -> Path | None:
    """Where to go on from. Checkpoints that are newer and not whole are deleted: they could only mislead."""
    found, whole = checkpoints(worker.directory), last_whole_checkpoint(worker.directory)
    for folder in found[: found.index(whole) if whole else None]:
        fault = "has changed since it was saved" if (folder / MANIFEST_FILE).exists() else "was not written to its end"
        worker.message(f"{folder.name} {fault}, so it is passed over.", "warning")
        delete_checkpoint(folder)
    if whole:
        worker.message(f"Going on from {whole.name}.")
    elif found:
        worker.message("No checkpoint is whole, so the run begins again from its start.", "warning")
    return whole


def _describe(worker: Worker, dataset: ProcessedDataset) -> None:
    counts = dataset.manifest.counts["train"]
    worker.message(
        f"Training on {counts.scenarios} scenarios: {counts.rows} rows, {counts.tokens:,} tokens, "
        f"{counts.trained_share:.0%} of them trained."
    )
    if not dataset.manifest.counts["validation"].rows:
        worker.message("No scenario is held out, so there will be no loss on held-out play.")
    for row in dataset.manifest.report:
        if row.kind.startswith("excluded"):
            worker.message(f"{row.source}: {row.kind}. {row.reason}", "warning")
    if unused := [row for row in dataset.manifest.report if row.kind == "variation"]:
        number = f"{len(unused)} accepted variation{'s are' if len(unused) > 1 else ' is'} not trained on"
        worker.message(f"{number}. {unused[0].source}: {unused[0].reason}", "warning")


def _tell_balance(worker: Worker, balance: Balance | None) -> None:
    """Which shares changed most, what could not be reached, and what is not read at all."""
    if balance is None:
        return
    moves = [
        f"{after.label} {before.share:.0%} → {after.share:.0%}"
        for before, after in zip(balance.before, balance.after, strict=True)
        if after.target is not None and f"{before.share:.0%}" != f"{after.share:.0%}"
    ]
    rows = f"{balance.rows_per_pass} rows in a pass instead of {len(balance.weights)}"
    worker.message(f"Balanced: {rows}. {', '.join(moves) or 'The shares were even already'}. See {BALANCE_FILE}.")
    for margin, way in balance.reached.items():
        if way < 1:
            worker.message(f"Only {way:.0%} of the way to even shares of {margin} can be reached.", "warning")
    if balance.left_out:
        worker.message(f"{len(balance.left_out)} rows are left out; {BALANCE_FILE} names them.", "warning")
