"""`ModelTrainer`: LoRA fine-tuning of a base model on rendered rows, with trl's SFTTrainer underneath.

Weights are read from safetensors; no remote code, no pickle of strangers (the only torch.load is of the run's own
checkpoints, by transformers, in its safe mode). It knows nothing of jobs or workspaces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import PreTrainedTokenizerFast, TrainerCallback

from studio.config import TrainingConfig
from studio.dataset import Balance, ProcessedDataset, balance_of
from studio.errors import TrainingError
from studio.training.adapter_files import save_adapter
from studio.training.base_weights import load_weights
from studio.training.batches import Rows, as_features, collate
from studio.training.beginnings import beginnings_of
from studio.training.devices import choose_device, choose_dtype, memory_in_use, peak_memory
from studio.training.lora_linear import LoraLinear
from studio.training.loss import mean_loss
from studio.training.memory.faults import (
    MemoryShortageError,
    first_line,
    is_gpu_trouble,
    is_memory_shortage,
    told_shortage,
)
from studio.training.memory.limits import limited_memory
from studio.training.order import BalancedSampler, EveryRow, GroupedSteps
from studio.training.parent.replay import Replay, ReplaySampler
from studio.training.processes.group import SameDecisions, check_agreement, leads, processes
from studio.training.processes.sharding import is_sharded, make_whole, sharding_told
from studio.training.provenance import WEIGHTS_FILE
from studio.training.saving import saving_callbacks
from studio.training.sft import AssistantLossTrainer, Order, Probe, sft_arguments
from studio.training.steps import optimizer_steps
from studio.training.trackers import prepare_trackers

_UNTRAINABLE = {"lm_head", "embed_tokens"}


class ModelTrainer:
    """One training run's worth of model, adapter and optimizer.

    Args:
        config: what to do.
        output_dir: where checkpoints go.
        tell: takes a sentence for the person who watches.
    """

    def __init__(
        self, config: TrainingConfig, output_dir: Path = Path("checkpoints"), tell: Callable[[str], None] = print
    ) -> None:
        self.config = config
        self.output_dir = output_dir
        self.model: Any = None
        self.tokenizer: PreTrainedTokenizerFast | None = None
        self._tell = tell
        self.device = choose_device(config.use_gpu, tell)
        self.dtype = choose_dtype(self.device)

    def load_base_model(self, path: Path) -> Any:
        """Load the weights and the tokenizer of an imported base: its folder, or the `hf` folder in it.

        Raises:
            MemoryShortageError: there is not enough memory for the weights.
            TrainingError: the folder cannot be loaded.
        """
        folder = path / "hf" if (path / "hf").is_dir() else path
        try:
            self.model = self._weights(folder)
            self.tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        except (OSError, ValueError, SafetensorError, RuntimeError, MemoryError) as error:
            raise _loading_failed(error, folder.parent.name) from error
        self.tokenizer.pad_token = self.tokenizer.convert_ids_to_tokens(0)  # any will do: padding is masked out
        self.model.config.pad_token_id = self.model.generation_config.pad_token_id = 0
        return self.model

    def _weights(self, folder: Path) -> Any:
        """The base model where it is to be trained; on the processor when the GPU fails meanwhile or is too small."""
        try:
            return self._load_weights(folder)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            if self.device == "cpu" or not (is_gpu_trouble(error) or is_memory_shortage(error)):
                raise
            self._tell(f"Training on the processor: the GPU failed while the model was loaded ({first_line(error)}).")
        self.device, self.dtype = "cpu", choose_dtype("cpu")
        return self._load_weights(folder)

    def _load_weights(self, folder: Path) -> Any:
        return load_weights(folder, self.dtype, self.device, self.config.quantize_base)

    def setup_lora_config(self) -> LoraConfig:
        """The adapter's configuration: rank, alpha, dropout and target layers."""
        config = LoraConfig(
            r=self.config.lora_rank,
            lora_alpha=self.config.lora_alpha,
            lora_dropout=self.config.lora_dropout,
            target_modules=self.config.target_modules,
            use_rslora=self.config.use_rslora,
            use_dora=self.config.use_dora,
            task_type="CAUSAL_LM",
        )
        if self.config.quantize_base == "none":  # bitsandbytes' layers are linear, too, and peft has its own for them
            config._register_custom_module({nn.Linear: LoraLinear})
        return config

    def train(
        self,
        dataset: Rows,
        validation_set: Rows | None = None,
        *,
        callbacks: list[TrainerCallback] | None = None,
        resume: Path | None = None,
        parent: Path | None = None,
        balance: Balance | None = None,
        replay: Replay | None = None,
        probe: Probe | None = None,
    ) -> Any:
        """Train an adapter on `dataset`; returns the model with the adapter on it (in `model` too).

        Args:
            dataset: a processed dataset (its training split) or rows.
            validation_set: held-out rows to measure once per epoch or every `eval_steps`.
            callbacks: transformers callbacks; they see every step, log and checkpoint.
            resume: a checkpoint folder of this run to go on from.
            parent: folder of an adapter whose weights to begin with.
            probe: measures the model besides the held-out loss, whenever that is measured.
            replay: which rows a run that goes on from an adapter reads; None: all of them in every pass.
            balance: how often each row is read; None: as `config.dataset` asks for a processed dataset, else once.

        Raises:
            DatasetError: a balance is asked for and the rows cannot be read.
            TrainingError: no model is loaded, there is nothing to train on, a layer name is unknown, the parent does
                not fit, or the memory is not enough.
        """
        if self.model is None:
            raise TrainingError("There is no model to train.", next_step="Call load_base_model first.")
        rows = as_features(dataset, "train")
        held_out = None if validation_set is None else as_features(validation_set, "validation")
        if not len(rows):
            raise TrainingError("There is nothing to train on.", next_step="Process some scenarios first.")
        balance = balance or self._balance_of(dataset)
        if balance and len(balance.weights) != len(rows):
            raise TrainingError(
                "The balance was made for other rows.",
                why=f"It is for {len(balance.weights)} rows, and there are {len(rows)}.",
                next_step="Balance the rows that are trained on.",
            )
        sampler = self._sampler(rows, balance, replay)
        alike = {"processes": processes()}
        steps = optimizer_steps(self.config.model_copy(update=alike), len(sampler))
        check_agreement({"rows": len(rows), "steps": steps, "device": self.device, "resumes": resume and resume.name})
        if leads():
            prepare_trackers(self.output_dir, self.config.trackers, os.environ)
        if told := sharding_told(self.config, self.device):
            self._tell(told)
        self._put_adapter_on(parent)
        trainer = AssistantLossTrainer(
            model=self.model,
            args=sft_arguments(
                self.config,
                self.output_dir,
                steps=steps,
                evaluates=bool(held_out),
                device=self.device,
            ),
            train_dataset=rows,
            eval_dataset=held_out or None,
            data_collator=collate,
            processing_class=self.tokenizer,
            callbacks=[
                *saving_callbacks(self.config, self.output_dir),
                *(callbacks or []),
                *([SameDecisions()] if processes() > 1 else []),
            ],
            sampler=sampler,
            shares=self._shares_beginnings,
            probe=None if is_sharded(self.config, self.device) else probe,
        )
        with _memory_errors_told(self.config), limited_memory(self.config.memory_limit_gb, self.device):
            trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        make_whole(self.model)
        return self.model

    def save_checkpoint(self, epoch: float, model: Any) -> Path:
        """Save the adapter of `model` (safetensors) as it is after `epoch`; returns its folder below `output_dir`.

        A run saves checkpoints to resume from (`checkpoint-N`, with the optimizer) by itself; this is for keeping one.
        """
        folder = self.output_dir / f"adapter-epoch-{epoch:g}"
        save_adapter(model, folder)
        return folder

    def evaluate(self, model: Any, validation_set: Rows) -> float:
        """Mean cross-entropy in nats per trained token of `validation_set` (a processed dataset's validation split)."""
        rows = as_features(validation_set, "validation")
        loss, _ = mean_loss(model, (collate([row]) for row in rows), self.device)
        return loss

    def memory_bytes(self) -> int:
        """Memory in use now: of the GPU if training runs there, else of this process."""
        return memory_in_use(self.device)

    def peak_memory_bytes(self) -> int:
        """The most memory that was in use up to now, of the GPU or of this process."""
        return peak_memory(self.device)

    def _balance_of(self, dataset: Rows) -> Balance | None:
        if self.config.dataset is None or not isinstance(dataset, ProcessedDataset):
            return None
        return balance_of(dataset, self.config.dataset.balance, self.config.seed)

    def _sampler(self, rows: Dataset, balance: Balance | None, replay: Replay | None) -> Order:
        order: Order = EveryRow(len(rows), self.config.seed)
        if replay:
            order = ReplaySampler(replay, balance, self.config.seed)
        elif balance:
            order = BalancedSampler(balance, self.config.seed)
        if not self._shares_beginnings:
            return order
        step = self.config.batch_size * self.config.gradient_accumulation_steps * processes()
        return GroupedSteps(order, beginnings_of(rows), step)

    @property
    def _shares_beginnings(self) -> bool:
        return self.config.share_beginnings and not is_sharded(self.config, self.device)

    def _put_adapter_on(self, parent: Path | None) -> None:
        unsupported = _UNTRAINABLE & set(self.config.target_modules)
        if unsupported:
            raise _bad_target(f"{', '.join(sorted(unsupported))} cannot be merged into a GGUF file later.")
        torch.manual_seed(self.config.seed)
        try:
            self.model = get_peft_model(self.model, self.setup_lora_config())
        except ValueError as error:
            raise _bad_target(str(error)) from error
        for config in self.model.peft_config.values():
            config.base_model_name_or_path = ""  # else a path of this machine would travel with the adapter
        if parent:
            _load_adapter(self.model, parent / WEIGHTS_FILE)


def _loading_failed(error: Exception, base: str) -> Exception:
    if is_memory_shortage(error):
        return MemoryShortageError.of_the_model_alone(
            f"There is not enough memory to load the base model {base}.", first_line(error)
        )
    if isinstance(error, RuntimeError):
        return error
    return TrainingError(
        "The base model cannot be loaded.",
        why=first_line(error),
        next_step="Delete its folder and import it again.",
        where=base,
    )


def _load_adapter(model: Any, weights: Path) -> None:
    expected = {
        key: value.shape for key, value in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }
    try:
        tensors = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise TrainingError("The earlier adapter cannot be read.", why=str(error), where=str(weights.parent)) from error
    if {key: value.shape for key, value in tensors.items()} != expected:
        raise TrainingError(
            "The earlier adapter does not fit this model.",
            why="It has other layers or another rank than its configuration says.",
            next_step="Start from the adapter of a run of the studio.",
        )
    set_peft_model_state_dict(model, tensors)


def _bad_target(why: str) -> TrainingError:
    return TrainingError(
        "The adapter cannot be put on this model.", why=why, next_step="Use target_modules: all-linear."
    )


@contextmanager
def _memory_errors_told(config: TrainingConfig) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError, OSError) as error:
        if not is_memory_shortage(error):
            raise
        raise told_shortage(error, config.memory_limit_gb) from error
