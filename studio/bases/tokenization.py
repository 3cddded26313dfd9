"""Loading a tokenizer.json with the `tokenizers` library alone, and knowing its control tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import BaseModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in `path`.

    Raises:
        BaseModelError: the file is missing or not a tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise BaseModelError(
            "The tokenizer cannot be read.",
            why=str(error),
            next_step="Import the base model again; your own folder must hold a fast tokenizer's tokenizer.json.",
            where=str(path),
        ) from error


def control_tokens(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The texts that the tokenizer and llama.cpp read as one control token, longest first."""
    added = tokenizer.get_added_tokens_decoder().values()
    return tuple(sorted((token.content for token in added if token.special), key=len, reverse=True))
