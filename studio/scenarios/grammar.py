"""The grammar of the outer language: front matter, block tags, comments. Only patterns, no meaning.

Every pattern is bounded or scans forward only, so that reading stays linear in the text whatever it holds.
"""

from __future__ import annotations

import re
from typing import Literal

from studio.scenarios.models import Speaker

BlockKind = Literal["SYSTEM", "User", "DM", "TOOLCALL"]
BOM = "\ufeff"

BLOCK_OF_SPELLING: dict[str, BlockKind] = {
    "system": "SYSTEM",
    "user": "User",
    "player": "User",
    "dm": "DM",
    "gm": "DM",
    "dungeon master": "DM",
    "dungeonmaster": "DM",
    "toolcall": "TOOLCALL",
    "tool call": "TOOLCALL",
    "tool_call": "TOOLCALL",
    "tool-call": "TOOLCALL",
    "tool": "TOOLCALL",
}
SPEAKER_OF_BLOCK: dict[str, Speaker] = {"User": "User", "DM": "DM", "TOOLCALL": "TOOLCALL"}

TAG = re.compile(
    r"<[ \t]{0,3}(/?)[ \t]{0,3}(system|user|player|dm|gm|dungeon ?master|tool[ _-]?call|tool)[ \t]{0,3}(>|(?=[\r\n]|$))"
    r"|<!--",
    re.IGNORECASE,
)
"""Group 1: the slash of a closing tag. Group 2: the name. Group 3: empty when `>` is missing at a line's end."""

FRONT_MATTER_OPEN = re.compile(r"---[ \t]*(?:\r\n|\n|\r)")
FRONT_MATTER_CLOSE = re.compile(r"^---[ \t]*(?:\r\n|\n|\r|\Z)", re.MULTILINE)
"""The rules around front matter. The second must stand before the first tag."""
