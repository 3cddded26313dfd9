"""Sums of squared inputs of every linear layer of a model, seen by hooks. Run as a script: it imports torch.

python tests/conversion/sum_inputs.py ROWS_JSON HF_FOLDER OUT_NPZ [HF_FOLDER OUT_NPZ ...]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict

PARTS = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip


def gguf_name(module: str) -> str:
    """For example 'model.layers.3.mlp.up_proj' -> 'blk.3.ffn_up.weight'; empty for what is in no layer."""
    _, found, rest = module.partition("layers.")
    number, _, part = rest.partition(".")
    return f"blk.{number}.{PARTS[part]}.weight" if found and part in PARTS else ""


def sums(folder: str, rows: list[list[int]]) -> dict[str, object]:
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    found: dict[str, object] = defaultdict(lambda: 0)

    def watch(name: str):
        def hook(_module: object, inputs: tuple[torch.Tensor, ...]) -> None:
            found[name] = found[name] + inputs[0].double().pow(2).flatten(0, -2).sum(0)

        return hook

    for name, module in model.named_modules():
        if place := gguf_name(name):
            module.register_forward_pre_hook(watch(place))
    with torch.no_grad():
        for row in rows:
            model(input_ids=torch.tensor([row]))
    return {name: values.numpy() for name, values in found.items()}


if __name__ == "__main__":
    import numpy as np

    texts = json.loads(sys.argv[1])
    for source, target in zip(*[iter(sys.argv[2:])] * 2, strict=True):
        np.savez(target, **sums(source, texts))
