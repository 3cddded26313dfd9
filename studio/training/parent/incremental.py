"""What a run does besides when it goes on from an earlier adapter: it replays, and it is compared with its parent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import TrainingConfig
from studio.dataset import Balance, ProcessedDataset
from studio.jobs import EvaluationEvent, Worker
from studio.training.parent.learned import Learned
from studio.training.parent.regression import ParentCheck, row_losses
from studio.training.parent.replay import Replay, ReplaySampler, keep_replay, news_of, replay_of, replay_told
from studio.training.processes.group import leads
from studio.training.provenance import Provenance


@dataclass(frozen=True)
class Parent:
    """The earlier adapter: the run's copy of it, the name of its run, and what it learned (None: not known)."""

    folder: Path
    name: str
    learned: Learned | None


def parent_of(folder: Path) -> Parent | None:
    """The parent in a run's folder for it; None where there is none. Raises `TrainingError` for one without papers."""
    return Parent(folder, Provenance.read(folder).run, Learned.beside(folder)) if folder.is_dir() else None


def note_what_is_learned(run: Path, dataset: ProcessedDataset, parent: Parent | None) -> None:
    """Keep for the runs that will go on from this one which texts it learns."""
    if leads():
        Learned.of(dataset, parent.learned if parent else None).write(run)


def plan_replay(
    worker: Worker, parent: Parent, dataset: ProcessedDataset, config: TrainingConfig, balance: Balance | None
) -> Replay | None:
    """Which rows a pass reads, told to the person who watches; None: all of them."""
    worker.message(f"Beginning with what the run {parent.name} learned.")
    if parent.learned is None:
        worker.message(f"What {parent.name} was trained on is not known, so every pass reads all scenarios.")
        return None
    news = news_of(dataset, parent.learned)
    replay = replay_of(news, config.replay_share)
    again = ReplaySampler(replay, balance, config.seed).again if replay else None
    forgets = bool(news.new or news.changed) and (not news.known or again == 0)
    worker.message(replay_told(news, replay, parent.name, again or 0), "warning" if forgets else "info")
    if leads():
        keep_replay(worker.directory, parent.name, news, again)
    return replay


def parent_check(worker: Worker, parent: Parent, dataset: ProcessedDataset, device: Any) -> ParentCheck:
    """Measures the parent when training begins, and shows its held-out loss as that of step 0."""
    learned = parent.learned or Learned(dataset="", scenarios={})

    def told(loss: float, tokens: int) -> None:
        perplexity = math.exp(min(loss, 50))
        worker.emit(EvaluationEvent(step=0, epoch=0, loss=loss, perplexity=perplexity, trained_tokens=tokens))

    return ParentCheck(parent.folder, lambda model: row_losses(model, dataset, learned, device), told)


def tell_against_parent(worker: Worker, check: ParentCheck, parent: Parent, model: Any, weights: Path | None) -> None:
    """Say whether the run's adapter is better or worse than its parent, and leave it in the job's result."""
    found = check.against_parent(parent.name, model, weights)
    if found is None:
        worker.message(f"Whether it is better than {parent.name} is not known: nothing is held out to measure it by.")
        return
    worker.message(found.text, found.level)
    worker.result({"against_parent": found.model_dump(mode="json")})
