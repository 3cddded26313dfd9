"""trl's SFTTrainer, told to take rows as they are, with our loss, and a mean over tokens as the held-out loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trl import SFTConfig, SFTTrainer

from studio.config import TrainingConfig
from studio.training.batches import Batch, collate
from studio.training.beginnings import BEGINNING, share_beginnings
from studio.training.loss import mean_loss, trained_token_loss
from studio.training.order import BalancedSampler, EveryRow, GroupedSteps
from studio.training.parent.replay import ReplaySampler
from studio.training.processes.group import PATIENCE, InStep, leads, mean_over_all, processes, share_of_rows
from studio.training.processes.sharding import is_sharded, sharding_arguments

_WARMUP_SHARE = 4
"""The learning rate rises for at most one in so many steps: a short run would else end before it has begun to learn."""


Order = BalancedSampler | EveryRow | ReplaySampler | GroupedSteps
"""Which rows a pass reads, and in which order."""

Probe = Callable[[Any, int], dict[str, float]]
"""Measures a model after an optimizer step: figures by name, logged with the held-out loss."""


class AssistantLossTrainer(InStep, SFTTrainer):  # type: ignore[misc]
    """SFTTrainer on rows that are tokenized and masked already. It sends nothing anywhere."""

    loss_is_scaled_for_ga = True

    def __init__(self, *, sampler: Order, probe: Probe | None = None, shares: bool = False, **options: Any) -> None:
        self._sampler, self._probe, self._shares = sampler, probe, shares
        trained = [(one, one.data) for one in options["model"].parameters() if one.requires_grad]
        super().__init__(**options)
        for parameter, values in trained:  # trl rounds the adapter of a quantized base to bfloat16
            if parameter.dtype != values.dtype:
                parameter.data = values.to(parameter.device)

    def _get_train_sampler(self, train_dataset: Any = None) -> Order:
        return self._sampler

    def get_batch_samples(self, *args: Any) -> tuple[list[Any], Any]:
        """The batches of one optimizer step, and how many tokens are trained in it."""
        batches, trained = super().get_batch_samples(*args)
        return share_beginnings(batches) if self._shares else batches, trained

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Cross-entropy summed over trained tokens, divided by their number in the whole optimizer step.

        Processes that train together average their gradients, so each one's part counts as many times as they are.
        """
        total, count = trained_token_loss(model, inputs)
        loss = total / max(1, int(count if num_items_in_batch is None else num_items_in_batch)) * processes()
        if beginning := inputs.get(BEGINNING):
            loss = loss + beginning.carried()
        return (loss, {"loss": loss}) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean loss per trained token; transformers' own would be a mean of the rows' means."""
        loss, tokens = self._held_out_loss(eval_dataset)
        probed = self._probe(self.model, self.state.global_step) if self._probe else {}
        named = {"loss": loss, "tokens": tokens, **probed}
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in named.items()}
        self.log(dict(metrics))
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _held_out_loss(self, eval_dataset: Any) -> tuple[float, int]:
        """Mean loss and number of the trained tokens. Of several processes each measures a share, no row twice."""
        if processes() == 1:
            return mean_loss(self.model, self.get_eval_dataloader(eval_dataset), self.args.device)
        rows, device = self.eval_dataset if eval_dataset is None else eval_dataset, self.args.device
        own, idle = share_of_rows(len(rows))
        found = mean_loss(self.model, (collate([rows[i]]) for i in own), device)
        mean_loss(self.model, (collate([rows[0]]) for _ in range(idle)), device)  # a split model runs in step
        return mean_over_all(*found, device)

    def _run_epoch(self, *args: Any, **options: Any) -> None:
        """A run that was killed after its last step has none left; transformers would take the rest of the pass."""
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        if not self.control.should_training_stop:
            super()._run_epoch(*args, **options)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None: what a checkpoint is says provenance.json of the run."""

    def _send_telemetry(self) -> None:
        """Nothing leaves the machine."""


def sft_arguments(config: TrainingConfig, output_dir: Path, *, steps: int, evaluates: bool, device: str) -> SFTConfig:
    """The settings of a run in trl's words. Weights and optimizer stay in the types they have: no mixed precision."""
    arguments = SFTConfig(
        output_dir=str(output_dir),
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=1,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        max_steps=steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=min(config.warmup_steps, steps // _WARMUP_SHARE),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        save_strategy="steps",
        save_steps=config.checkpoint_steps,
        save_total_limit=None,  # `SealedCheckpoints` deletes the oldest, when a newer one is safe
        eval_strategy="no" if not evaluates else ("steps" if config.eval_steps else "epoch"),
        eval_steps=config.eval_steps or None,
        prediction_loss_only=True,
        seed=config.seed,
        data_seed=config.seed,
        bf16=False,
        fp16=False,
        activation_checkpointing=False,
        gradient_checkpointing=False,
        use_cpu=device == "cpu",
        ddp_find_unused_parameters=False,
        ddp_timeout=int(PATIENCE.total_seconds()),
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        packing=False,
        **sharding_arguments(is_sharded(config, device)),
        report_to=list(config.trackers) if leads() else [],
        run_name=output_dir.name,
        disable_tqdm=True,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # one process, one GPU: transformers would use DataParallel on several
    return arguments
