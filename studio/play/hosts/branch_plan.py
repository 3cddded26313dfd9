"""In which order branches are read and how many are written at once. Pure; no llama.cpp here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_BRANCHES = 12
"""Replies that are written at once. More share the reading of the weights, but every token attends to all cells."""
READ_TOKENS = 256
"""Tokens per call when reading: small enough that a cancel is heard within a second on a slow machine."""
BATCHING = f"branches 1, {MAX_BRANCHES} at once, {READ_TOKENS} per call"
"""What of all this can change how sums are rounded, and with it a reply: part of the identity of every reply."""
_CELL_BLOCK = 256


@dataclass(frozen=True)
class PlannedBranch:
    """One branch in tokens.

    Attributes:
        index: place in the request.
        ids: the prompt, then the target.
        n_prompt: tokens of the prompt.
        most: tokens that the reply may have.
    """

    index: int
    ids: Sequence[int]
    n_prompt: int
    most: int

    @property
    def scored(self) -> range:
        """Positions whose logits say something about the target."""
        return range(self.n_prompt - 1, len(self.ids) - 1)

    def continues(self, other: PlannedBranch) -> bool:
        """Whether the other's prompt and target are the beginning of this one's prompt."""
        return self.n_prompt > len(other.ids) and list(self.ids[: len(other.ids)]) == list(other.ids)


Chain = list[PlannedBranch]
"""Branches of one conversation, each the continuation of the one before: the last one's ids are all of them."""


def chains(branches: Sequence[PlannedBranch]) -> list[Chain]:
    """Neighbours that continue each other, together."""
    found: list[Chain] = []
    for one in branches:
        if found and one.continues(found[-1][-1]):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def waves(branches: Sequence[PlannedBranch], cells: int, most: int = MAX_BRANCHES) -> list[list[PlannedBranch]]:
    """Branches that are written together: neighbours, at most `most` of them, in waves of about equal size.

    The tokens of a wave fit `cells`; a branch that does not fit alone is a wave of its own.
    """
    count = -(-len(branches) // most)
    while True:
        borders = [len(branches) * number // count for number in range(count + 1)]
        found = [list(branches[start:end]) for start, end in pairwise(borders)]
        if count >= len(branches) or all(cells_needed(wave) <= cells for wave in found):
            return found
        count += 1


def cells_needed(wave: Sequence[PlannedBranch]) -> int:
    """Cells of the KV cache that a wave never exceeds: its conversations, and every reply at its longest."""
    return sum(len(chain[-1].ids) for chain in chains(wave)) + sum(one.most for one in wave)


def in_blocks(cells: int) -> int:
    """Rounded up, as llama.cpp does."""
    return -(-cells // _CELL_BLOCK) * _CELL_BLOCK
