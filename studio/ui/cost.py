"""What a run will take, in words: for the page Train and for `train --estimate`."""

from __future__ import annotations

from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset, balance_of
from studio.training.pace import Cost, Pace, cost
from studio.ui.wording import about, count

UNKNOWN = "How long it takes on this machine is not known yet: the first run tells, or a measurement on the page Train."


def cost_of(config: TrainingConfig, dataset: ProcessedDataset, rows_per_pass: int, pace: Pace) -> Cost | None:
    """What a run on this dataset takes at that pace; None where there is nothing to train on."""
    train, held_out = (dataset.manifest.counts[split] for split in ("train", "validation"))
    if not train.rows:
        return None
    tokens = round(train.tokens * rows_per_pass / train.rows)
    return cost(config, rows_per_pass, tokens, pace, holds_out=bool(held_out.rows))


def rows_per_pass(config: TrainingConfig, dataset: ProcessedDataset) -> int:
    """Rows that one pass reads, as balancing wants it. Raises `DatasetError` when the rows cannot be read."""
    asked = config.dataset.balance if config.dataset else None
    balance = balance_of(dataset, asked, config.seed) if asked and dataset.manifest.counts["train"].rows else None
    return balance.rows_per_pass if balance else dataset.manifest.counts["train"].rows


def cost_sentence(found: Cost) -> str:
    """The estimate: `About 12 minutes on this machine`, as a sentence."""
    return f"{about(found.seconds).capitalize()} on this machine."


def made_of(found: Cost) -> str:
    """What the estimate counts, and where the speed comes from."""
    looks = f", {count(found.evaluations, 'look')} at held-out play" if found.evaluations else ""
    speed = f"{found.pace.tokens_per_second:,.0f} tokens per second"
    source = f"the run {found.pace.run} went at {speed}" if found.pace.run else f"a short measurement gave {speed}"
    work = f"{count(found.steps, 'step')}, {found.tokens:,} tokens{looks}"
    return f"{work}. Estimated from your scenarios and how fast this machine was: {source}."
