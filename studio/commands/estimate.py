"""`train --estimate`: what a run would need, said before it starts."""

from __future__ import annotations

from pathlib import Path

from studio.bases import get_base
from studio.commands import Context, Exit
from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset, TrainingDataProcessor
from studio.errors import DatasetError
from studio.training.memory.fit import judge_memory
from studio.training.pace import Cost, known_pace
from studio.ui.cost import UNKNOWN, cost_of, cost_sentence, made_of, rows_per_pass
from studio.ui.memory import parts_lines


def show_estimate(context: Context, config: TrainingConfig, scenarios: Path) -> int:
    """Print the memory and the time that a run with these settings needs. Exit status 1: it does not fit."""
    dataset = _dataset(context, config, scenarios)
    counts = dataset.manifest.counts["train"] if dataset else None
    verdict = judge_memory(
        context.workspace,
        config,
        longest_row=counts.longest_row if counts else None,
        trained_share=counts.trained_share if counts else None,
    )
    told = verdict.model_dump(mode="json")
    told["estimate"]["total"] = verdict.estimate.total
    text = "\n".join([*parts_lines(verdict.estimate), f"{verdict.sentence} {verdict.advice}".rstrip()])
    time = _time(context, config, dataset) if dataset else None
    text += f"\n{cost_sentence(time)} {made_of(time)}" if time else f"\n{UNKNOWN}"
    memory = {**told, "sentence": verdict.sentence, "advice": verdict.advice}
    context.show(text, {"memory": memory, "time": time and time.model_dump(mode="json")})
    return Exit.FINDINGS if verdict.judgement == "does not fit" else Exit.DONE


def _time(context: Context, config: TrainingConfig, dataset: ProcessedDataset) -> Cost | None:
    """What it takes on this machine; None where that is not known."""
    pace = known_pace(context.workspace, config)
    return cost_of(config, dataset, rows_per_pass(config, dataset), pace) if pace else None


def _dataset(context: Context, config: TrainingConfig, scenarios: Path) -> ProcessedDataset | None:
    """What it would learn from; None while there is nothing to learn from."""
    base = get_base(context.workspace, config.base_model)
    processor = TrainingDataProcessor.configured(context.workspace, base, config.max_seq_length, config.dataset)
    try:
        return processor.process_scenarios(scenarios)
    except DatasetError as error:
        context.note(f"{error} The estimate is for rows of max_seq_length tokens.")
        return None
