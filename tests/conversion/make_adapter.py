"""A random LoRA adapter made by PEFT itself, strong enough to change what the model says.

Run as a script: it imports torch.

python tests/conversion/make_adapter.py HF_FOLDER OUT JSON_OF_LORA_CONFIG [HF_FOLDER OUT JSON_OF_LORA_CONFIG ...]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

STRENGTH = 0.1  # of a layer's own size: one forgotten matrix shows, and rounding is not blown up into chaos


def make(hf: Path, out: Path, options: dict[str, object]) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    torch.set_num_threads(1)
    base = AutoModelForCausalLM.from_pretrained(hf, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **options))
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "lora_A") and "default" in module.lora_A:
                a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
                a.normal_()
                b.normal_()
                update = module.scaling["default"] * (b @ a)
                b.mul_(STRENGTH * module.base_layer.weight.norm() / update.norm())
                if "default" in module.lora_magnitude_vector:  # DoRA: rows get other lengths, too
                    lengths = module.lora_magnitude_vector["default"].weight
                    lengths.mul_(1 + STRENGTH * torch.randn_like(lengths))
    model.save_pretrained(out)


if __name__ == "__main__":
    for hf, out, options in zip(*[iter(sys.argv[1:])] * 3, strict=True):
        make(Path(hf), Path(out), json.loads(options))
