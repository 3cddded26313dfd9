"""The pre-tokenizers that llama.cpp uses, as `tokenizers` objects, so that a tokenizer read from a GGUF gives its ids.

transformers rebuilds a GGUF's tokenizer from vocabulary and merges and guesses the pre-tokenizer from the architecture;
for SmolLM2 it forgets to split digits, so that a blank line before a number got other ids than llama.cpp gives.
Patterns: llama.cpp, src/llama-vocab.cpp, `llm_tokenizer_bpe`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.errors import BaseModelError

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def pre_tokenizer_for(architecture: str, pre: str) -> PreTokenizer | None:
    """The pre-tokenizer for `tokenizer.ggml.pre`; None where transformers' own is right (SentencePiece vocabularies).

    Raises:
        BaseModelError: a byte-pair vocabulary whose pre-tokenizer nobody has compared with llama.cpp.
    """
    from tokenizers import Regex, pre_tokenizers

    def split(pattern: str) -> PreTokenizer:
        first = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
        return pre_tokenizers.Sequence([first, _bytes(use_regex=False)])

    match pre:
        case "smollm":
            return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _bytes(use_regex=True)])
        case "llama-bpe" | "llama3" | "llama-v3":
            return split(_LLAMA3)
        case "qwen2":
            return split(_QWEN2)
        case _ if architecture == "gemma3":
            return None
    raise BaseModelError(
        f"The tokenizer kind {pre!r} is not one whose token ids are known to equal llama.cpp's.",
        next_step="Import the model's Hugging Face folder, which carries its own tokenizer.json.",
    )


def _bytes(*, use_regex: bool) -> PreTokenizer:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=use_regex)
