"""The process that runs llama.cpp's converter on a Hugging Face folder. Imports torch and transformers.

`python -m studio.bases.convert_worker CONVERTER HF OUT NAME`. The converter reads a SentencePiece vocabulary from
`tokenizer.model` with a library that the studio does not have; here it is read from tokenizer.json, which says as much.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
from pathlib import Path
from typing import Any

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
"""Types of tokens, llama.cpp's `llama_token_type`."""
_NEVER_MERGED = -1e6


def main(arguments: list[str]) -> None:
    """Convert; an exception or an exit status other than 0 says that it failed."""
    converter, hf, out, name = arguments
    sys.path.insert(0, converter)  # the converter puts its own `gguf` behind this
    script = importlib.import_module("convert_hf_to_gguf")
    importlib.import_module("conversion.base").TextModel._create_vocab_sentencepiece = _no_sentencepiece
    importlib.import_module("conversion.gemma").Gemma3Model.set_vocab = _set_sentencepiece_vocabulary
    logging.getLogger("hf-to-gguf").setLevel(logging.WARNING)
    sys.argv = ["convert_hf_to_gguf.py", hf, "--outfile", out, "--outtype", "f16", "--model-name", name]
    script.main()


def sentencepiece_vocabulary(tokenizer: dict[str, Any], size: int) -> tuple[list[str], list[float], list[int]]:
    """Tokens, scores and types by id, from a tokenizer.json whose merges were made from SentencePiece's scores.

    llama.cpp joins the pair whose result has the highest score first (src/llama-vocab.cpp, `llm_tokenizer_spm`),
    tokenizer.json the pair that stands first in its list: so a token's score is minus the first place that makes it.

    Args:
        size: how many tokens there are to be; ids that the tokenizer does not use become placeholders.
    """
    added = {str(one["content"]): one for one in tokenizer.get("added_tokens", [])}
    vocabulary = {**tokenizer["model"]["vocab"], **{text: one["id"] for text, one in added.items()}}
    ranks: dict[str, int] = {}
    for place, merge in enumerate(tokenizer["model"]["merges"]):
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        ranks.setdefault(left + right, place)
    tokens = [f"[PAD{number}]" for number in range(max(size, max(vocabulary.values()) + 1))]
    scores, types = [_NEVER_MERGED] * len(tokens), [UNUSED] * len(tokens)
    for token, number in vocabulary.items():
        tokens[number], types[number] = token, _type_of(token, added, tokenizer["model"].get("unk_token"))
        scores[number] = -float(ranks[token]) if token in ranks else _NEVER_MERGED
    return tokens, scores, types


def _type_of(token: str, added: dict[str, dict[str, Any]], unknown: str | None) -> int:
    if token == unknown:
        return UNKNOWN
    if token in added:
        return CONTROL if added[token].get("special") else USER_DEFINED
    is_byte = len(token) == 6 and token.startswith("<0x") and token.endswith(">")
    return BYTE if is_byte else NORMAL


def _no_sentencepiece(model: Any) -> None:
    """What the converter says of a folder without tokenizer.model, once it has the library: it reads tokenizer.json."""
    raise FileNotFoundError(f"There is no tokenizer.model in {model.dir_model}.")


def _set_sentencepiece_vocabulary(model: Any) -> None:
    """Instead of the converter's `set_vocab` for Gemma 3."""
    gguf = importlib.import_module("gguf")
    tokenizer = json.loads((Path(model.dir_model) / "tokenizer.json").read_text(encoding="utf-8"))
    rows = len(tokenizer["model"]["vocab"]) + len(tokenizer.get("added_tokens", []))  # what the converter keeps of them
    tokens, scores, types = sentencepiece_vocabulary(tokenizer, min(rows, int(model.hparams["vocab_size"])))
    writer = model.gguf_writer
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    gguf.SpecialVocab(model.dir_model, n_vocab=len(tokens)).add_to_gguf(writer)
    writer.add_add_space_prefix(False)


if __name__ == "__main__":
    main(sys.argv[1:])
