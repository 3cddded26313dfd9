"""The parts of a memory estimate in a reader's words, for the page and the command line."""

from __future__ import annotations

from studio.machine import GIB
from studio.training.memory.estimate import MemoryEstimate

_WORDS = {
    "libraries": "Python and its libraries",
    "weights": "the base model, which stays as it is",
    "adapter": "the adapter, which learns",
    "gradients": "its gradients: in which direction to change it",
    "optimizer": "the optimizer's memory of earlier gradients",
    "activations": "what the model remembers of the rows until it has learned from them",
    "logits": "scores of every word of the vocabulary at the turns that are learned",
    "slack": "what the system holds and cannot use again",
}


def parts(estimate: MemoryEstimate) -> list[tuple[str, float]]:
    """What each part is, and its GiB."""
    return [(words, estimate.processes * getattr(estimate, name) / GIB) for name, words in _WORDS.items()]


def parts_table(estimate: MemoryEstimate) -> str:
    """The parts as a markdown table, with their sum."""
    rows = [f"| {words} | {gib:.2f} |" for words, gib in parts(estimate)]
    head = f"| {_row_words(estimate)} | GiB |\n|---|---:|"
    return "\n".join([head, *rows, f"| **together** | **{estimate.gib:.2f}** |"])


def parts_lines(estimate: MemoryEstimate) -> list[str]:
    """The parts as lines of text, with their sum."""
    lines = [f"{gib:6.2f} GiB  {words}" for words, gib in parts(estimate)]
    return [f"Memory for {_row_words(estimate)}:", *lines, f"{estimate.gib:6.2f} GiB  together"]


def _row_words(estimate: MemoryEstimate) -> str:
    rows = f"{estimate.rows} row{'s' if estimate.rows > 1 else ''} of {estimate.row_tokens:,} tokens at a time"
    return f"{rows}, in each of {estimate.processes} processes" if estimate.processes > 1 else rows
