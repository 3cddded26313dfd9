"""Train, validation or test, decided by a hash of a scenario's name, so that adding files moves no other file.

Scenarios that are nearly the same go where the first of their group goes. Each type is held out in its share; a type
that is owed at least half a scenario has at least one held out, the one whose hash comes first. Two things can move a
scenario when files are added: a near-duplicate with a shorter name, which then leads the group; and a first scenario of
its type that the hash holds out, which sends the one that stood in for it back to training.

Variations go where their scenario goes and decide nothing: however many there are, no scenario moves because of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from studio.dataset.models import Split
from studio.dataset.sources import is_variation


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Shares of the scenarios to hold out, 0 to 1, and the seed of the hash."""

    validation: float
    test: float = 0.0
    seed: int = 0

    def of(self, source: str) -> Split:
        """The split of a scenario that nothing else decides about."""
        return split_of(source, self.validation, self.test, self.seed)


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios that stay together: names, the leader first; the leader's type; and whether they must be held out."""

    names: tuple[str, ...]
    scenario_type: str
    held_out: bool = False

    @property
    def size(self) -> int:
        """How many were written by somebody: variations do not count."""
        return sum(not is_variation(name) for name in self.names)


def split_of(source: str, validation_fraction: float, test_fraction: float = 0.0, seed: int = 0) -> Split:
    """The split of the scenario file `source` (relative path, '/' between folders); the same on every machine."""
    place = position(source, seed)
    if place < validation_fraction:
        return "validation"
    return "test" if place < validation_fraction + test_fraction else "train"


def position(source: str, seed: int = 0) -> float:
    """Where between 0 and 1 the hash of a name falls."""
    text = f"{seed}/{source}" if seed else source
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:8], "big") / 2**64


def assign(groups: Sequence[Group], rule: SplitRule) -> dict[str, Split]:
    """The split of every scenario by name. A group of more than half of all scenarios is trained on."""
    free = [group for group in groups if not group.held_out]
    most = sum(group.size for group in free) / 2
    movable = [group for group in free if group.size <= max(1, most)]
    chosen: dict[str, Split] = {group.names[0]: "validation" for group in groups if group.held_out}
    chosen |= {group.names[0]: "train" for group in free}
    chosen |= {group.names[0]: rule.of(group.names[0]) for group in movable}
    chosen |= _owed(movable, chosen, "validation", rule.validation, rule.seed)
    chosen |= _owed(movable, chosen, "test", rule.test, rule.seed)
    return {name: chosen[group.names[0]] for group in groups for name in group.names}


def _owed(groups: Sequence[Group], chosen: dict[str, Split], split: Split, share: float, seed: int) -> dict[str, Split]:
    """One scenario of every type that is owed half a one and has none in this split yet."""
    owed: dict[str, Split] = {}
    for kind in sorted({group.scenario_type for group in groups}):
        leaders = [group.names[0] for group in groups if group.scenario_type == kind]
        trained = [name for name in leaders if chosen[name] == "train"]
        if len(leaders) * share >= 0.5 and len(trained) > 1 and all(chosen[name] != split for name in leaders):
            owed[min(trained, key=lambda name: position(name, seed))] = split
    return owed
