"""All logits of a GGUF file over rows of tokens, by the plainest use of llama-cpp-python. Run as a script.

python tests/conversion/full_logits.py GGUF ROWS_JSON OUT_NPZ
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np


def main(gguf: str, rows: str, out: str) -> None:
    texts = json.loads(Path(rows).read_text())
    exact = {"flash_attn": False, "type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32}
    llama = llama_cpp.Llama(gguf, n_ctx=512, n_batch=512, logits_all=True, verbose=False, n_threads=1, **exact)
    found = {}
    for number, ids in enumerate(texts):
        llama.reset()
        llama.eval(ids)
        found[str(number)] = np.array(llama.scores[: len(ids)], dtype=np.float64)
    np.savez(out, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
