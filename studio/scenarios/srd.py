"""Facts of the game from the System Reference Document 5.2.1: spells, classes, items, conditions, experience.

The data comes from the package dndwright (MIT); its content is © Wizards of the Coast LLC, licensed under
CC-BY-4.0. Equipment that the package lacks is in config/srd_gear.yaml, from the same document. Loaded at first use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from studio.config import load_yaml
from studio.scenarios.spelling import closest
from studio.workspace import PROJECT_ROOT

_PLAIN = {ord("’"): "'", ord("‘"): "'"}
_ITEM_MATCH = 86
"""Items are free text: only a near miss is worth a word (percent)."""
_NUMBER = re.compile(r"^(\d[\d,]*)\s|[x×]\s*(\d+)\s*$", re.IGNORECASE)
_COUNT = re.compile(r"^(?:\d[\d,]*\s+|an?\s+|the\s+)|\s*(?:[x×]\s*\d+|\(.*\)|[+]\d)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Spell:
    """A spell's name, its level (0 for a cantrip) and the classes that have it on their list."""

    name: str
    level: int
    classes: frozenset[str]


@dataclass(frozen=True)
class Srd:
    """The facts that the R checks compare with. Keys are in lower case with straight quotes."""

    spells: dict[str, Spell]
    items: dict[str, str]
    conditions: frozenset[str]
    hit_dice: dict[str, int]
    slots: dict[str, dict[int, dict[int, int]]]
    """Class -> class level -> slot level -> slots."""
    experience: dict[int, int]
    """Level -> experience at which it begins."""

    @cached_property
    def item_names(self) -> tuple[str, ...]:
        """The folded item names."""
        return tuple(self.items)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The class names, in lower case."""
        return tuple(self.hit_dice)

    def class_of(self, written: str) -> str | None:
        """The class in a description such as `Dwarf Fighter`; None for none, or for more than one."""
        words = set(re.findall(r"[a-z]+", written.lower()))
        found = [name for name in self.classes if name in words]
        return found[0] if len(found) == 1 else None

    def nearest_item(self, folded: str) -> str | None:
        """The item that a folded name is a near miss of, or None. Answers are kept: parties repeat."""
        return _nearest_item(folded)

    def highest_spell(self, class_name: str, level: int) -> int:
        """The highest spell level that a class can cast at a level, 0 when it casts none."""
        return max(self.slots.get(class_name, {}).get(level, {}), default=0)


def fold(name: str) -> str:
    """A name as the tables have it: lower case, straight quotes, no count (`Health Potion x2` -> `health potion`)."""
    plain = name.translate(_PLAIN).strip()
    return (plain if len(plain) > 80 else _COUNT.sub("", _COUNT.sub("", plain)).strip()).lower()


def count_of(item: str) -> int:
    """How many `Health Potion x2` or `50 gold pieces` are; 1 when nothing says so."""
    found = _NUMBER.search(item.strip())
    return int((found[1] or found[2]).replace(",", "")[:9]) if found else 1


@lru_cache(maxsize=8192)
def _nearest_item(folded: str) -> str | None:
    return closest(folded, load_srd().item_names, _ITEM_MATCH, folded=True)


@lru_cache(maxsize=1)
def load_srd() -> Srd:
    """The facts, read once."""
    from dndwright.content import load_content
    from dndwright.rules import lookup_tables as tables

    spells = [
        Spell(one["name"], one["level"], frozenset(name.lower() for name in one["classes"]))
        for one in load_content("spells")
    ]
    kinds = tables.SPELLCASTING_TYPE_BY_CLASS
    return Srd(
        spells={fold(one.name): one for one in spells},
        items=_items([one["name"] for part in ("weapons", "armor", "magic_items") for one in load_content(part)]),
        conditions=frozenset(one["name"].lower() for one in load_content("conditions")),
        hit_dice=dict(tables.HIT_DIE_BY_CLASS),
        slots={name: _slots(kind, tables.SPELL_SLOTS_FULL, tables.SPELL_SLOTS_HALF) for name, kind in kinds.items()}
        | {"warlock": {level: {row["pact_level"]: row["pact"]} for level, row in tables.SPELL_SLOTS_WARLOCK.items()}},
        experience=dict(tables.XP_THRESHOLDS),
    )


def _slots(kind: str, full: dict[int, dict[str, int]], half: dict[int, dict[str, int]]) -> dict[int, dict[int, int]]:
    table = {"full_caster": full, "half_caster": half}.get(kind, {})
    return {level: {int(slot[0]): count for slot, count in row.items()} for level, row in table.items()}


def _items(names: list[str]) -> dict[str, str]:
    gear = load_yaml(PROJECT_ROOT / "config" / "srd_gear.yaml")["gear"]
    return {fold(name): name for name in (*names, *gear)}
