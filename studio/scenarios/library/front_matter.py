"""Small reads and edits of the front matter that leave every other byte alone."""

from __future__ import annotations

import json
import re

from studio.scenarios.models import SCENARIO_TYPES
from studio.scenarios.tree import Node, parse_tree

_TYPE = re.compile(r"^(scenario_type[ \t]*:[ \t]*)(['\"]?)([\w-]+)\2(?=[ \t]*(?:#[^\r\n]*)?\r?$)", re.MULTILINE)
_TITLE = re.compile(r"^title[ \t]*:[ \t]*([^\r\n]*)", re.MULTILINE)
_SAFE_SCALAR = re.compile(r"[^\W\d_][\w ',.!?’-]*")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def read_scenario_type(text: str) -> str | None:
    """The type that the front matter names, None when it names none that exists."""
    match = _find(_TYPE, text)
    found = match[3].lower() if match else ""
    return found if found in SCENARIO_TYPES else None


def set_scenario_type(text: str, scenario_type: str) -> str:
    """The text with the `scenario_type` of its front matter changed, if it has one that names a type."""
    match = _find(_TYPE, text)
    if match is None or match[3].lower() not in SCENARIO_TYPES:
        return text
    return text[: match.start(3)] + scenario_type + text[match.end(3) :]


def set_title(text: str, title: str) -> str:
    """The text with the `title` of its front matter changed, if it has that line."""
    match = _find(_TITLE, text)
    return text[: match.start(1)] + yaml_scalar(title) + text[match.end(1) :] if match else text


def yaml_scalar(text: str) -> str:
    """A text as one YAML value: plain when that is safe, else in double quotes (a JSON string is a YAML string)."""
    plain = " ".join(text.split())
    safe = _SAFE_SCALAR.fullmatch(plain) and plain.lower() not in _YAML_WORDS
    return plain if safe else json.dumps(plain, ensure_ascii=not plain.isprintable())


def _find(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    node = _node(text)
    return pattern.search(text, node.body_start, node.body_end) if node else None


def _node(text: str) -> Node | None:
    return next((node for node in parse_tree(text).nodes[:2] if node.kind == "front_matter"), None)
