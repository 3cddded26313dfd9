"""`entities:` of the front matter: names that an author lists, so that copies of the scenario may rename them.

entities: [Vane, Crow Bank]
entities: {people: [Vane], places: [Crow Bank], items: [Lantern of Tears]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

EntityKind = Literal["name", "place", "item"]
ENTITY_KINDS: dict[str, EntityKind] = {
    "name": "name",
    "names": "name",
    "people": "name",
    "persons": "name",
    "characters": "name",
    "place": "place",
    "places": "place",
    "item": "item",
    "items": "item",
}
"""What may stand before a list of names, in lower case, and what it makes of them."""
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class ListedEntity:
    """A name as it is listed, spaces put right."""

    name: str
    kind: EntityKind


def listed_entities(front_matter: Mapping[str, Any]) -> tuple[list[ListedEntity], list[str]]:
    """The names that the front matter lists, and what in the list cannot be read, as it is written."""
    written = front_matter.get("entities")
    if written is None:
        return [], []
    by_kind = written if isinstance(written, dict) else {"names": written}
    found: list[ListedEntity] = []
    refused: list[str] = []
    for key, values in by_kind.items():
        kind = ENTITY_KINDS.get(str(key).strip().lower())
        if kind is None or not isinstance(values, list):
            refused.append(str(key) if isinstance(written, dict) else str(written))
            continue
        for value in values:
            name = "" if isinstance(value, dict | list) else " ".join(str(value).split())
            if 0 < len(name) <= _LONGEST:
                found.append(ListedEntity(name, kind))
            else:
                refused.append(str(value))
    return found, refused
