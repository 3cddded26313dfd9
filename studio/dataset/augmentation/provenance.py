"""Where a product comes from, written into its front matter: `augmentation: {parent, operations, seed}`.

Everything else in the front matter keeps every byte; a text without front matter gets one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from studio.dataset.augmentation.text import newline_of, read
from studio.scenarios import BOM, Vocabulary, parse_tree

KEY = "augmentation"


def with_provenance(text: str, parent: str, operations: Sequence[str], seed: int) -> str:
    """The text with its origin as the last line of the front matter. It must not have one yet."""
    newline = newline_of(text)
    line = f"{KEY}: {_origin(parent, operations, seed)}{newline}"
    node = next((node for node in parse_tree(text).nodes[:2] if node.kind == "front_matter"), None)
    if node is None:
        at = len(BOM) if text.startswith(BOM) else 0
        return f"{text[:at]}---{newline}{line}---{newline}{newline}{text[at:]}"
    before = text[: node.body_end]
    gap = "" if before.endswith(("\n", "\r")) else newline
    return before + gap + line + text[node.body_end :]


def without_provenance(text: str, parent: str, operations: Sequence[str], seed: int) -> str:
    """What `with_provenance` was given; the text as it is where that line does not end its front matter."""
    newline = newline_of(text)
    line = f"{KEY}: {_origin(parent, operations, seed)}{newline}"
    alone = f"---{newline}{line}---{newline}{newline}"
    at = len(BOM) if text.startswith(BOM) else 0
    if text.startswith(alone, at):
        return text[:at] + text[at + len(alone) :]
    node = next((node for node in parse_tree(text).nodes[:2] if node.kind == "front_matter"), None)
    if node is None or not text[: node.body_end].endswith(line):
        return text
    return text[: node.body_end - len(line)] + text[node.body_end :]


def provenance_of(text: str, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """The origin that a text names, None when it is nobody's product."""
    found = read(text, vocabulary).front_matter.values.get(KEY)
    return found if isinstance(found, dict) else None


def has_provenance(text: str, vocabulary: Vocabulary) -> bool:
    """Whether the front matter has that key at all, readable or not."""
    return KEY in read(text, vocabulary).front_matter.values


def _origin(parent: str, operations: Sequence[str], seed: int) -> str:
    """A JSON object is a YAML value on one line, whatever characters a file name has."""
    values = {"parent": parent, "operations": list(operations), "seed": seed}
    return json.dumps(values, ensure_ascii=not parent.isprintable())
