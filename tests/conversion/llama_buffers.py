"""What llama.cpp says it allocates: `python -m tests.conversion.llama_buffers GGUF...`, one JSON line per load.

Prints the bytes of its KV caches and of its working buffer for several windows and batches, and both ways of keeping a
sliding window and of computing attention.
"""

import ctypes
import itertools
import json
import re
import sys
from typing import Any

import llama_cpp

MIB = 2**20
WINDOWS, BATCHES = (2048, 4096, 8192), (256, 512)


def main() -> None:
    said: list[str] = []
    callback = llama_cpp.llama_log_callback(lambda _level, text, _data: said.append(text.decode("utf-8", "replace")))
    llama_cpp.llama_log_set(callback, ctypes.c_void_p(0))
    for path in sys.argv[1:]:
        model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        for window in WINDOWS:
            for batch in BATCHES:
                for whole, flash in itertools.product((False, True), repeat=2):
                    said.clear()
                    context = llama_cpp.llama_init_from_model(model, _parameters(window, batch, whole, flash))
                    asked = {"path": path, "window": window, "batch": batch, "whole": whole, "flash": flash}
                    found = {
                        "kv_cache": _megabytes(r"KV buffer size", said),
                        "compute": _megabytes(r"compute buffer", said),
                    }
                    print(json.dumps({**asked, **found}))  # noqa: T201
                    llama_cpp.llama_free(context)


def _parameters(window: int, batch: int, whole: bool, flash: bool) -> Any:
    parameters = llama_cpp.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = window, batch, batch
    parameters.swa_full = whole
    parameters.flash_attn_type = (
        llama_cpp.LLAMA_FLASH_ATTN_TYPE_AUTO if flash else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    return parameters


def _megabytes(what: str, said: list[str]) -> float:
    """The sum of `... CPU KV buffer size = 45.00 MiB`, in bytes."""
    return sum(float(found) * MIB for found in re.findall(rf"{what}\D*= *([\d.]+) MiB", "".join(said)))


if __name__ == "__main__":
    main()
