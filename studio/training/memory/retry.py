"""What a run does when memory runs out or the GPU fails: less at a time, or on the processor, in a fresh process.

A process that was out of memory is not made small again by forgetting tensors (the allocator keeps what it has), and
one whose GPU has failed cannot use it again. So what shall be different is written down, and the job begins anew from
its last whole checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from studio.config import TrainingConfig
from studio.dataset import ProcessedDataset
from studio.jobs import StartAgain, Worker
from studio.training.memory.advice import no_room
from studio.training.memory.faults import MemoryShortageError, first_line, is_gpu_trouble
from studio.training.memory.fit import judge_memory
from studio.training.memory.in_use import halved, settings_in_use, use_from_now_on
from studio.training.memory.kills import forget, was_killed_for_memory, watched
from studio.training.processes.group import processes
from studio.workspace import Workspace


def settings_of_this_attempt(worker: Worker, asked: TrainingConfig) -> TrainingConfig:
    """What to train with now: what was asked, or what is used instead since memory ran out.

    If the kernel killed the process before this one for its memory, the batch is halved here.
    """
    used = settings_in_use(worker.directory, asked)
    killed = was_killed_for_memory(worker.directory)
    forget(worker.directory)
    smaller = halved(used) if killed and asked.retry_out_of_memory else None
    if smaller:
        _tell_and_keep(worker, used, smaller, "The system ended the run because memory ran out.")
        used = smaller
    elif used.batch_size != asked.batch_size:
        worker.message(
            f"Reading {_rows(used)} at a time instead of {asked.batch_size}, since memory ran out before.", "warning"
        )
    return used


def tell_memory_needed(worker: Worker, workspace: Workspace, config: TrainingConfig, dataset: ProcessedDataset) -> None:
    """Say what the run will need, and warn where that does not fit; it begins all the same."""
    counts = dataset.manifest.counts["train"]
    verdict = judge_memory(workspace, config, longest_row=counts.longest_row, trained_share=counts.trained_share)
    worker.message(
        f"{verdict.sentence} {verdict.advice}".rstrip(), "info" if verdict.judgement == "fits" else "warning"
    )


@contextmanager
def starting_again(worker: Worker, workspace: Workspace, config: TrainingConfig, device: str) -> Iterator[None]:
    """Train in this block.

    Args:
        config: the settings in use.
        device: where the model is.

    Raises:
        MemoryShortageError: memory ran out, and less at a time is not possible or not wanted.
        StartAgain: something was changed so that the next attempt may succeed.
    """
    try:
        with watched(workspace, worker.directory):
            yield
    except MemoryShortageError as error:
        raise _after_shortage(worker, workspace, config, error) from error
    except (RuntimeError, NotImplementedError) as error:
        if device == "cpu" or not is_gpu_trouble(error) or not _may_start_again(config):
            raise
        worker.message(f"The GPU failed ({first_line(error)}). The run goes on on the processor.", "warning")
        use_from_now_on(worker.directory, config.model_copy(update={"use_gpu": False}))
        raise StartAgain from error


def _after_shortage(
    worker: Worker, workspace: Workspace, config: TrainingConfig, error: MemoryShortageError
) -> StartAgain | MemoryShortageError:
    smaller = halved(config) if error.smaller_helps else None
    if smaller and config.retry_out_of_memory and _may_start_again(config):
        _tell_and_keep(worker, config, smaller, f"{error.what} {error.why}".rstrip())
        return StartAgain()
    return no_room(workspace, config, error.what, error.why) if error.smaller_helps else error


def _may_start_again(config: TrainingConfig) -> bool:
    """Whether the job's process started all others, if there are any: it can then do so again."""
    return processes() == 1 or config.processes > 1


def _tell_and_keep(worker: Worker, before: TrainingConfig, after: TrainingConfig, why: str) -> None:
    worker.message(
        f"{why} The run now reads {_rows(after)} at a time instead of {before.batch_size}, and learns from as many as "
        f"before in each step (batch_size {after.batch_size}, gradient_accumulation_steps "
        f"{after.gradient_accumulation_steps}). It begins again where it last saved.",
        "warning",
    )
    use_from_now_on(worker.directory, after)


def _rows(config: TrainingConfig) -> str:
    return f"{config.batch_size} row{'s' if config.batch_size > 1 else ''}"
