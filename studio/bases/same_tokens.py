"""Whether llama.cpp, with the tokenizer of a GGUF file, splits text into the tokens that tokenizer.json gives.

llama.cpp knows tokenizers by name only; one that it takes for another would play with other tokens than were trained.
The file is opened in a process of its own (`python -m studio.bases.same_tokens GGUF TOKENIZER_JSON`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from studio.bases.tokenization import load_tokenizer
from studio.errors import BaseModelError
from studio.workspace import PROJECT_ROOT

TIMEOUT_SECONDS = 300
SAMPLES = (
    "You open the old door and see a goblin.",
    "perception: 12 + 5(skill) = *17*\n\n2. *SUCCESS* You see:\n\n\t- 1234567 gold",
    "  It's the king's   torch... isn't it? I'LL take 3d6!",
    "Café, naïve, Drăculea, 龍と地下牢, дракон, 🐉⚔️",
    "[roll: attack, target=goblin, weapon=longbow, advantage]\n\n\n<Tavern>&nbsp;100%\n",
)


def check_same_tokens(gguf: Path, tokenizer_json: Path) -> None:
    """Compare the token ids of `SAMPLES`.

    Raises:
        BaseModelError: they differ, or llama.cpp cannot read the vocabulary.
    """
    command = [sys.executable, "-m", "studio.bases.same_tokens", str(gguf), str(tokenizer_json)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            cwd=PROJECT_ROOT, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        differing = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise BaseModelError("llama.cpp cannot read the vocabulary of this model.", where=gguf.name) from error
    if differing:
        raise BaseModelError(
            "llama.cpp splits text into other tokens than this model's own tokenizer does.",
            why=f"They differ for {differing[0]!r}.",
            next_step="Import the folder without a GGUF file; it can be trained, not played as it is.",
        )


def differing_samples(gguf: str, tokenizer_json: Path) -> list[str]:
    """The samples whose token ids differ. Imports llama.cpp."""
    import llama_cpp

    tokenizer = load_tokenizer(tokenizer_json)
    llama = llama_cpp.Llama(model_path=gguf, vocab_only=True, verbose=False)
    return [
        text
        for text in SAMPLES
        if llama.tokenize(text.encode(), add_bos=False) != tokenizer.encode(text, add_special_tokens=False).ids
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(differing_samples(sys.argv[1], Path(sys.argv[2]))) + "\n")
