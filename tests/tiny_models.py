"""Small random checkpoints with a real tokenizer, written as Hugging Face folders. Run as a script: it imports torch.

python tests/tiny_models.py TOKENIZER_JSON KIND OUT [KIND OUT ...]
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

SEED = 20
SHAPE = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048}


def make(kind: str, tokenizer_json: Path, out: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    vocab_size = len(json.loads(tokenizer_json.read_text())["model"]["vocab"])
    wide = {
        "vocab_size": vocab_size,
        "hidden_size": 256,
        "intermediate_size": 512,
        "tie_word_embeddings": True,
        **SHAPE,
    }
    match kind:
        case "llama":
            config = transformers.LlamaConfig(**wide, bos_token_id=1, eos_token_id=2, pad_token_id=2)
        case "qwen2":
            config = transformers.Qwen2Config(**wide, bos_token_id=1, eos_token_id=2, pad_token_id=2)
        case "qwen3":
            config = transformers.Qwen3Config(**wide, head_dim=64, bos_token_id=1, eos_token_id=2, pad_token_id=2)
        case "gemma3":
            narrow = {
                **wide,
                "hidden_size": 64,
                "intermediate_size": 128,
                "num_hidden_layers": 6,
                "num_key_value_heads": 1,
            }
            config = transformers.Gemma3TextConfig(**narrow, head_dim=32, sliding_window=256, query_pre_attn_scalar=32)
        case _:
            raise SystemExit(f"unknown kind {kind}")
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.save_pretrained(out)
    shutil.copyfile(tokenizer_json, out / "tokenizer.json")
    shutil.copyfile(tokenizer_json.with_name("tokenizer_config.json"), out / "tokenizer_config.json")


if __name__ == "__main__":
    for kind, out in zip(*[iter(sys.argv[2:])] * 2, strict=True):
        make(kind, Path(sys.argv[1]), Path(out))
