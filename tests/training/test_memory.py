"""The memory estimate against what torch really keeps, its verdict, and what an error of torch is taken for."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from studio.bases import BaseModel
from studio.config import TrainingConfig
from studio.errors import DatasetError
from studio.machine import GIB
from studio.training import ModelTrainer
from studio.training.loss import trained_token_loss
from studio.training.memory.advice import no_room
from studio.training.memory.estimate import BaseFacts, estimate_memory, largest_that_fits
from studio.training.memory.faults import MemoryShortageError, is_gpu_trouble, is_memory_shortage, told_shortage
from studio.training.memory.fit import judge_memory, memory_free
from studio.training.memory.in_use import IN_USE_FILE, halved, settings_in_use, use_from_now_on
from studio.training.memory.limits import limited_memory, status_bytes
from studio.workspace import Workspace
from tests.training.conftest import SETTINGS

TOKENS = 192
TINY = ("tiny_llama", "tiny_qwen2", "tiny_qwen3", "tiny_gemma3")


def kept_bytes(model: Any, rows: int, tokens: int) -> tuple[int, int]:
    """What autograd keeps of a forward pass over rows with half of their tokens trained: of the layers, of logits."""
    own = {one.untyped_storage().data_ptr() for one in model.parameters()}
    vocabulary = model.get_input_embeddings().weight.shape[0]
    kept: dict[int, tuple[int, bool, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            wide = bool(tensor.dim()) and tensor.shape[-1] == vocabulary
            kept[storage.data_ptr()] = (storage.nbytes(), wide, tensor)
        return tensor

    ids = torch.randint(5, 100, (rows, tokens))
    labels, mask = ids.clone(), torch.ones_like(ids)
    labels[:, : tokens // 2] = -100
    if rows > 1:
        labels[0, -3:], mask[0, -3:] = -100, 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trained_token_loss(model, {"input_ids": ids, "attention_mask": mask, "labels": labels})
    sizes = [(size, wide) for size, wide, _ in kept.values()]
    return sum(size for size, wide in sizes if not wide), sum(size for size, wide in sizes if wide)


def with_adapter(base: BaseModel, dtype: torch.dtype, config: TrainingConfig) -> Any:
    model = AutoModelForCausalLM.from_pretrained(base.hf, dtype=dtype)
    return get_peft_model(model, ModelTrainer(config).setup_lora_config()).train()


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_the_estimate_counts_what_autograd_keeps(kind: str, dtype: torch.dtype, request: Any) -> None:
    base: BaseModel = request.getfixturevalue(kind)
    for rows in (1, 2):
        check_kept(base, dtype, TrainingConfig(batch_size=rows, max_seq_length=TOKENS, lora_rank=8))


@pytest.mark.parametrize("option", [{"lora_dropout": 0.1}, {"use_dora": True}, {"target_modules": ["q_proj"]}])
def test_the_estimate_knows_what_options_keep(tiny_llama: BaseModel, option: dict[str, Any]) -> None:
    config = TrainingConfig.model_validate({"max_seq_length": TOKENS, "lora_rank": 8, **option})
    check_kept(tiny_llama, torch.float32, config)


def test_the_estimate_knows_the_masks_of_a_window_narrower_than_the_row(tiny_gemma3: BaseModel) -> None:
    assert BaseFacts.read(tiny_gemma3.hf).window == 256
    check_kept(tiny_gemma3, torch.float32, TrainingConfig(max_seq_length=320, lora_rank=8))


def check_kept(base: BaseModel, dtype: torch.dtype, config: TrainingConfig) -> None:
    estimate = estimate_memory(config, BaseFacts.read(base.hf), native_bfloat16=dtype == torch.bfloat16)
    layers, logits = kept_bytes(with_adapter(base, dtype, config), config.batch_size, config.max_seq_length)
    assert 0.97 * layers <= estimate.activations <= 1.15 * layers
    assert logits <= estimate.logits


def test_weights_adapter_gradients_and_optimizer_are_what_they_are(tiny_qwen3: BaseModel) -> None:
    config = TrainingConfig(lora_rank=12, target_modules=["q_proj", "down_proj"])
    model = with_adapter(tiny_qwen3, torch.float32, config)
    estimate = estimate_memory(config, BaseFacts.read(tiny_qwen3.hf), native_bfloat16=False)
    sizes = {True: 0, False: 0}
    for one in model.parameters():
        sizes[one.requires_grad] += one.numel() * one.element_size()
    assert estimate.adapter == estimate.gradients == estimate.optimizer / 2 == sizes[True]
    assert estimate.weights == sizes[False]


def test_the_parts_make_the_whole_and_the_known_rows_count_instead_of_the_longest_possible(
    tiny_llama: BaseModel,
) -> None:
    facts = BaseFacts.read(tiny_llama.hf)
    whole = estimate_memory(TrainingConfig(max_seq_length=1024), facts, native_bfloat16=False)
    known = estimate_memory(
        TrainingConfig(max_seq_length=1024), facts, native_bfloat16=False, longest_row=256, trained_share=0.25
    )
    others = {"rows", "row_tokens", "processes"}
    assert whole.total == sum(value for name, value in whole.model_dump().items() if name not in others)
    two = estimate_memory(TrainingConfig(max_seq_length=1024, processes=2), facts, native_bfloat16=False)
    assert two.total == 2 * whole.total
    assert (whole.row_tokens, known.row_tokens) == (1024, 256)
    assert (whole.activations, whole.logits) == (4 * known.activations, 8 * known.logits)


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_largest_that_fits_is_found(limit: int, most: int) -> None:
    assert largest_that_fits(lambda n: n <= limit, max(1, most)) == (min(limit, max(1, most)) or None)


def test_the_verdict_and_what_would_fit(campaign: Workspace) -> None:
    config = SETTINGS.model_copy(update={"batch_size": 4, "max_seq_length": 2048})
    needed = judge_memory(campaign, config).estimate.total
    judged = [judge_memory(campaign, config, room=int(needed * share)) for share in (2, 1.1, 0.8)]
    assert [one.judgement for one in judged] == ["fits", "tight", "does not fit"]
    assert [bool(one.advice) for one in judged] == [False, True, True]
    short, room = judged[-1], int(needed * 0.8)
    assert short.fitting_length
    assert short.fitting_batch
    for name, size, step in (("max_seq_length", short.fitting_length, 64), ("batch_size", short.fitting_batch, 1)):
        totals = [
            judge_memory(campaign, config.model_copy(update={name: n}), room=room).estimate.total
            for n in (size, size + step)
        ]
        assert totals[0] <= room < totals[1]
    assert str(short.fitting_length) in short.advice.replace(",", "")


def test_a_limit_is_the_room_where_it_is_less_than_what_is_free(campaign: Workspace) -> None:
    config = SETTINGS.model_copy(update={"memory_limit_gb": 0.25})
    limited = judge_memory(campaign, config)
    assert (limited.limited, limited.room, limited.judgement) == (True, GIB // 4, "does not fit")
    assert (limited.fitting_length, limited.fitting_batch) == (None, None)
    assert "limit" in limited.advice
    assert not judge_memory(campaign, config, room=GIB // 8).limited


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    machine = memory_free(tmp_path)
    assert machine > 0
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory_free(tmp_path) == pytest.approx(machine, rel=0.2)
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory_free(tmp_path) == 4000


@given(st.integers(1, 512), st.integers(1, 1024))
def test_half_the_batch_keeps_the_rows_of_an_optimizer_step(batch: int, accumulation: int) -> None:
    config = TrainingConfig(batch_size=batch, gradient_accumulation_steps=accumulation)
    smaller = halved(config)
    assert (smaller is None) == (batch == 1)
    if smaller:
        assert smaller.effective_batch_size == config.effective_batch_size
        assert smaller.batch_size <= batch / 2


def test_what_is_used_is_kept_beside_what_was_asked(tmp_path: Path) -> None:
    asked = TrainingConfig(batch_size=4, gradient_accumulation_steps=3)
    assert settings_in_use(tmp_path, asked) == asked
    smaller = halved(asked)
    assert smaller
    use_from_now_on(tmp_path, smaller)
    assert settings_in_use(tmp_path, asked) == smaller
    other = asked.model_copy(update={"gradient_accumulation_steps": 5})
    assert settings_in_use(tmp_path, other) == other
    (tmp_path / IN_USE_FILE).write_text('{"batch_size": ')
    assert settings_in_use(tmp_path, asked) == asked


def test_lack_of_memory_is_known_by_class_and_words() -> None:
    with pytest.raises(RuntimeError) as real:
        torch.empty(10**15)
    short = [
        real.value,
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ]
    other = [RuntimeError("CUDA error: no kernel image"), OSError(errno.ENOSPC, "full"), ValueError("out of memory")]
    assert [is_memory_shortage(one) for one in short] == [True] * len(short)
    assert [is_memory_shortage(one) for one in other] == [False] * len(other)
    assert not any(is_gpu_trouble(one) for one in short)
    assert "3.7" in told_shortage(real.value, 0).why  # 4e15 bytes are 3.7 million GiB
    assert "memory_limit_gb" in told_shortage(real.value, 2).what


def test_trouble_of_the_gpu_is_known_by_class_and_words() -> None:
    """Words of torch 2.13 with an NVIDIA GPU; there is none where these tests run."""
    trouble = [
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        RuntimeError("Found no NVIDIA driver on your system."),
        AssertionError("Torch not compiled with CUDA enabled"),
        torch.AcceleratorError("unspecified launch failure"),
        NotImplementedError("\"addmm_cuda\" not implemented for 'Float8_e4m3fn'"),
    ]
    other = [ValueError("CUDA error"), RuntimeError("The size of tensor a must match"), DatasetError("No rows.")]
    assert [is_gpu_trouble(one) for one in trouble] == [True] * len(trouble)
    assert [is_gpu_trouble(one) for one in other] == [False] * len(other)


def test_a_gpu_that_fails_while_the_model_is_loaded_is_left_for_the_processor(
    campaign: Workspace, tmp_path: Path
) -> None:
    """torch without CUDA refuses for real, at the same place as one whose driver is gone."""
    said: list[str] = []
    trainer = ModelTrainer(SETTINGS.model_copy(update={"use_gpu": True}), tmp_path, said.append)
    trainer.device = "cuda"
    model = trainer.load_base_model(campaign.base_dir / SETTINGS.base_model)
    assert (trainer.device, model.device.type) == ("cpu", "cpu")
    assert len(said) == 2  # that there is none, and that it failed


def test_memory_beyond_the_limit_is_refused_while_it_holds(one_thread: None) -> None:
    held = status_bytes("VmRSS")
    assert held
    with (
        pytest.raises(RuntimeError) as caught,
        limited_memory((held + GIB // 4) / GIB, "cpu"),
    ):
        torch.ones(GIB // 8)  # 4 bytes each
    assert is_memory_shortage(caught.value)
    torch.ones(GIB // 8)
    with pytest.raises(MemoryShortageError) as alone, limited_memory(0.01, "cpu"):
        raise AssertionError("the block must not be entered")
    assert not alone.value.smaller_helps


def test_the_last_word_names_a_length_that_should_fit(campaign: Workspace) -> None:
    config = SETTINGS.model_copy(update={"memory_limit_gb": 3.0, "max_seq_length": 65536, "batch_size": 1})
    told = no_room(campaign, config, "Memory ran out.").next_step
    length = judge_memory(campaign, config).fitting_length
    assert length
    assert str(length) in told
    assert not no_room(campaign, config.model_copy(update={"base_model": "gone"}), "x").next_step.count("should fit")
