"""Several processes that train one adapter together: who leads, and what they must do in step.

Each process (rank) reads its own share of every optimizer step; the gradients are averaged over all. Rank 0 leads: it
alone writes into the run's folder and decides when to evaluate, save and stop. With one process everything here is
without effect. How the processes are started is in `followers` and `rank`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed as dist
from transformers import TrainerCallback

from studio.errors import TrainingError
from studio.training.batches import IGNORED

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others: the leader alone measures and saves, and that takes its time."""

_DECISIONS = ("should_training_stop", "should_epoch_stop", "should_save", "should_evaluate", "should_log")


def processes() -> int:
    """How many processes train together; 1 outside of a group."""
    return int(dist.get_world_size()) if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return int(dist.get_rank()) if processes() > 1 else 0


def leads() -> bool:
    """Whether this process writes the run's folder; so it is where only one trains."""
    return rank() == 0


def join(use_gpu: bool, store: dist.Store | None = None) -> None:
    """Become one of the processes that the environment speaks of (RANK, WORLD_SIZE, LOCAL_RANK, as torchrun sets them).

    Args:
        store: where they meet; None: at MASTER_ADDR and MASTER_PORT.

    Raises:
        TrainingError: there are fewer GPUs than processes on this machine.
    """
    backend = "gloo"
    if use_gpu and torch.cuda.is_available():
        local, here = int(os.environ["LOCAL_RANK"]), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        check_gpus(here, torch.cuda.device_count())
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    met = {"store": store, "rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
    dist.init_process_group(backend, timeout=PATIENCE, **(met if store else {}))


def check_gpus(wanted: int, found: int) -> None:
    """Raise `TrainingError` when this machine has fewer GPUs than processes that train on one each."""
    if found < wanted:
        raise TrainingError(
            f"There are {wanted} processes and only {found} GPU{'s' if found != 1 else ''} on this machine.",
            why="Each process trains on a GPU of its own.",
            next_step=f"Set processes to {max(1, found)}, or train on the processor (use_gpu: false).",
        )


def leave() -> None:
    """Undo `join`; what accelerate remembers of the group is forgotten too."""
    from accelerate.state import AcceleratorState

    if dist.is_initialized():
        dist.destroy_process_group()
    AcceleratorState._reset_state(reset_partial_state=True)


@contextmanager
def leader_first() -> Iterator[None]:
    """The leader runs the block before the others do, which then find the files that it left."""
    if not leads():
        dist.barrier()
    yield
    if leads():
        wait_for_all()


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if processes() > 1:
        dist.barrier()


def check_agreement(facts: dict[str, Any]) -> None:
    """Compare what each process is about to do.

    Raises:
        TrainingError: they differ, so the processes would wait for each other or learn different things.
    """
    if processes() == 1:
        return
    told: list[Any] = [None] * processes()
    dist.all_gather_object(told, facts)
    differing = [name for name in facts if any(other[name] != facts[name] for other in told)]
    if differing:
        shown = "; ".join(f"{name}: {', '.join(str(other[name]) for other in told)}" for name in differing)
        raise TrainingError(
            "The processes of this run do not agree on what to train.",
            why=f"They have different values of {shown}.",
            next_step="Let all machines share one folder, one version of the studio and the same kind of processor.",
        )


def mean_over_all(mean: float, count: int, device: torch.device | str) -> tuple[float, int]:
    """The mean over the tokens of all processes, from each one's own mean over `count` tokens, and their number."""
    if processes() == 1:
        return mean, count
    sums = torch.tensor([mean * count, count], dtype=torch.float64, device=device)
    dist.all_reduce(sums)
    total, tokens = sums.tolist()
    return total / max(1.0, tokens), int(tokens)


def share_of_rows(rows: int) -> tuple[list[int], int]:
    """Which of so many rows this process measures, and how many more to pass through to be in step with the others."""
    own = list(range(rank(), rows, processes()))
    return own, -(-rows // processes()) - len(own)


def rows_in_last_batch(rows: int, batch_size: int, of_processes: int, number: int) -> int:
    """How many rows of a process's last batch in a pass are its own; accelerate fills the batch up with earlier ones.

    Batches go round: the first to rank 0, the second to rank 1 and so on, and all ranks get as many batches.

    Args:
        rows: how many one pass over the data reads, in all processes.
        batch_size: rows per process and forward pass.
        number: the rank.
    """
    in_last_round = (rows - 1) % (batch_size * of_processes) + 1
    return min(batch_size, max(0, in_last_round - number * batch_size))


def without_filling(batch: dict[str, torch.Tensor], own: int) -> dict[str, torch.Tensor]:
    """The first `own` rows of a batch. Of one that has none, a single token stays, without loss: all run in step."""
    if own:
        return {name: value[:own] for name, value in batch.items()}
    token = {name: value[:1, :1] for name, value in batch.items()}
    return {**token, "labels": torch.full_like(token["labels"], IGNORED)}


class SameDecisions(TrainerCallback):  # type: ignore[misc]
    """Gives every process the leader's decisions, for only the leader hears of stops, clocks and held-out losses.

    It must be the last callback.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """A resumed run may have nothing left to do. Every process draws a dropout of its own."""
        _take_over(control, args.device)
        torch.manual_seed(args.seed + dist.get_rank())

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before logging, evaluating and saving."""
        _take_over(control, args.device)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """After an evaluation, which may end the run."""
        _take_over(control, args.device)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Before what is done once per pass."""
        _take_over(control, args.device)


def _take_over(control: Any, device: torch.device) -> None:
    decided = torch.tensor([int(getattr(control, name)) for name in _DECISIONS], device=device)
    dist.broadcast(decided, src=0)
    for name, value in zip(_DECISIONS, decided.tolist(), strict=True):
        setattr(control, name, bool(value))


class InStep:
    """What transformers' Trainer leaves out for several processes: the rows that only fill up the last batches.

    Mixed into a Trainer. Without it those rows would count twice, and 2 processes of batch 1 would not learn what one
    process of batch 2 learns.
    """

    args: Any
    accelerator: Any
    train_dataset: Any
    _get_train_sampler: Any

    @property
    def rows_per_pass(self) -> int:
        """Rows that one pass reads, in all processes."""
        return len(self._get_train_sampler(self.train_dataset))

    def get_batch_samples(self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device) -> Any:
        """The batches of this process for one optimizer step, and the trained tokens of all processes in it."""
        own = epoch_iterator if processes() == 1 else map(self._own_rows, epoch_iterator)
        return super().get_batch_samples(own, num_batches, device)  # type: ignore[misc]

    def _track_num_input_tokens(self, inputs: dict[str, torch.Tensor]) -> None:
        """Count what was read, without a token that only keeps a process in step; a row has at least two."""
        if inputs["input_ids"].shape[-1] == 1:
            inputs = {**inputs, "attention_mask": torch.zeros_like(inputs["input_ids"])}
        super()._track_num_input_tokens(inputs)  # type: ignore[misc]

    def _own_rows(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if not self.accelerator.gradient_state.end_of_dataloader:
            return batch
        own = rows_in_last_batch(self.rows_per_pass, self.args.per_device_train_batch_size, processes(), rank())
        return batch if own >= len(batch["input_ids"]) else without_filling(batch, own)
