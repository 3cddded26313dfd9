"""The frozen weights of a base model in memory: as they are, or in 4 bits (QLoRA, arXiv 2305.14314)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from studio.config import BaseQuantization
from studio.training.attention import ATTENTION


def load_weights(folder: Path, dtype: torch.dtype, device: str, quantize: BaseQuantization = "none") -> Any:
    """The model in `folder` on `device`, computing in `dtype`.

    With `nf4` its linear layers hold 4-bit NormalFloats in blocks of 64, whose scales are quantized as well, and each
    is unpacked when it is used; embeddings, norms and the output layer stay in `dtype`. Weights are read from
    safetensors, and no code comes with them.

    Raises:
        OSError, ValueError, SafetensorError, RuntimeError, MemoryError: whatever transformers says.
    """
    packed = quantize == "nf4"
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=ATTENTION,
        quantization_config=_nf4(dtype) if packed else None,
        device_map={"": device} if packed else None,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
    )
    return model if packed else model.to(device)


def _nf4(compute: torch.dtype) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
