"""The grammar of the outer language: front matter, block tags, comments. Only patterns, no meaning.

Every pattern is bounded or scans forward only, so that reading stays linear in the text whatever it holds. Tags are
read strictly everywhere (`TAG`, a few spellings), and generously where text belongs to no block (`LOOSE`): there it
is a mistake anyway, while inside a turn `**DM:**` may be part of the story.
"""

from __future__ import annotations

import re
from typing import Literal

from studio.scenarios.models import Speaker

BlockKind = Literal["SYSTEM", "User", "DM", "TOOLCALL"]
BOM = "\ufeff"

_SPELLINGS: dict[BlockKind, tuple[str, ...]] = {
    "SYSTEM": ("SYSTEM", "system"),
    "User": ("User", "user", "player"),
    "DM": ("DM", "dm", "d m", "d.m", "d.m.", "gm", "dungeon master", "dungeonmaster"),
    "TOOLCALL": ("TOOLCALL", "toolcall", "tool call", "tool_call", "tool-call", "tool"),
}
BLOCK_OF_SPELLING: dict[str, BlockKind] = {one: block for block, several in _SPELLINGS.items() for one in several}
"""Spelling, in lower case or canonical, -> block."""
SPEAKER_OF_BLOCK: dict[str, Speaker] = {"User": "User", "DM": "DM", "TOOLCALL": "TOOLCALL"}

_NAME = r"(?:system|user|player|dm|d m|d\.m\.?|gm|dungeon ?master|tool[ _-]?call|tool)"
TAG = re.compile(
    rf"<[ \t]{{0,3}}(/?)[ \t]{{0,3}}({_NAME})[ \t]{{0,3}}(?:(/?)>|(?=[\r\n]|$))|<!--",
    re.IGNORECASE | re.ASCII,  # else the long s of `<u\u017fer>` is an s, too
)
"""Group 1: the slash of a closing tag. Group 2: the name. Group 3: a slash at the end. Without `>` it must end
a line, and an opening tag must begin one, too."""

_LABEL = rf"\*\*({_NAME})[ \t]?(?:[:：][ \t]?\*\*|\*\*[ \t]?[:：]?)|__({_NAME})[:：]__|({_NAME})[ \t]?[:：]"
_LIKE_NAME = "[A-Za-z][A-Za-z_. \u200c-\u200f-]{0,20}"
LOOSE = re.compile(
    rf"(?:<|&lt;|\\<|[＜〈‹«])[ \t]{{0,3}}([/\\／]{{0,2}})[ \t]{{0,3}}({_LIKE_NAME})([ \t][^<>\r\n]{{0,40}})?"
    r"(/?)(?:>|&gt;|\\>|[＞〉›»])"
    rf"|\[[ \t]?(/?)[ \t]?({_NAME})[ \t]?\]"
    rf"|(?<![^\r\n])[ \t]{{0,3}}(?:(?:{_LABEL})[ \t]{{0,3}}|#{{1,6}}[ \t]({_NAME})[ \t]?:?[ \t]{{0,3}}(?![^\r\n]))",
    re.IGNORECASE | re.ASCII,
)
"""A tag as people also type it. Groups: slash, name, attributes, slash at the end of something like a tag; slash and
name in square brackets; the name of a label (bold in two ways, plain), of a heading."""

LOOSE_CLOSE = re.compile(rf"<[ \t]{{0,3}}[/\\]{{1,2}}[ \t]{{0,3}}({_LIKE_NAME})>?\s*")
"""A misspelled closing tag at the very end of a block that has none; `>` may be missing before the next tag."""

FRONT_MATTER_OPEN = re.compile(r"---[ \t]*(?:\r\n|\n|\r)")
FRONT_MATTER_CLOSE = re.compile(r"(?<![^\r\n])---[ \t]*(?:\r\n|\n|\r|\Z)")
"""The rules around front matter. The second must stand before the first tag."""
