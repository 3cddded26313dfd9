"""`review:` of the front matter: what was made by play waits there until a person has looked at it.

    review: pending      nothing is learned from this file
    review: done         somebody has read it and said that it is right

A file without the line was written by a person and needs none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.scenarios.tree import parse_tree

REVIEW, PENDING, DONE = "review", "pending", "done"
UNREVIEWED = "It waits for review (`review: pending`): open it and say that it is right; until then nothing is learned."
"""Why a correction or a played session is left out until a person has looked at it."""
_LINE = re.compile(r"^(review[ \t]*:[ \t]*)(['\"]?)pending\2(?=[ \t]*(?:#[^\r\n]*)?\r?$)", re.MULTILINE | re.IGNORECASE)


def waits_for_review(front_matter: Mapping[str, Any]) -> bool:
    """Whether a scenario with this front matter still waits for somebody to look at it."""
    return str(front_matter.get(REVIEW, "")).strip().lower() == PENDING


def as_reviewed(text: str) -> str:
    """The text with `review: pending` changed to `review: done`, every other byte as it is."""
    node = next((one for one in parse_tree(text).nodes[:2] if one.kind == "front_matter"), None)
    found = _LINE.search(text, node.body_start, node.body_end) if node else None
    return text if found is None else f"{text[: found.start()]}{found[1]}{DONE}{text[found.end() :]}"
