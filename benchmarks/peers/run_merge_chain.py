"""One step of the usual way from an adapter to a quantized file, in a process of its own.

python -m benchmarks.peers.run_merge_chain merge HF ADAPTER OUT       peft's merge_and_unload, save_pretrained
python -m benchmarks.peers.run_merge_chain quantize GGUF OUT TYPE     llama.cpp with its own settings, two threads

The step between them is llama.cpp's converter (`studio.bases.llama_converter`).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
THREADS = 2


def merge(hf: str, adapter: str, out: str) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(hf), adapter).merge_and_unload()
    model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        shutil.copyfile(Path(hf) / name, Path(out) / name)


def quantize(source: str, target: str, type_name: str) -> None:
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{type_name}")
    parameters.nthread = THREADS
    status = llama_cpp.llama_model_quantize(source.encode(), target.encode(), parameters)
    assert status == 0


if __name__ == "__main__":
    {"merge": merge, "quantize": quantize}[sys.argv[1]](*sys.argv[2:])
