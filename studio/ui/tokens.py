"""What training sees, as HTML: the exact text with its control tokens, and each token coloured by the loss mask.

The text is the model's to the character: marks for spaces and line ends are drawn by the style sheet (`views.css`), so
what a reader selects and copies is what the model reads. Text of the scenario is escaped and never becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from studio.bases import TokenView
from studio.config import TrainingPreset

LONGEST = 6000
# Characters that take no ink; the direction marks among them could also turn the text around them.
_UNSEEN = re.compile("[\n\r\t\u00a0\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_MARKS = {"\n": "newline", "\r": "return", "\t": "tab"}
# What HTML cannot carry as it is: it drops a null, and reads a bare carriage return as a line feed.
_CARRIED = str.maketrans({"\x00": "\ufffd", "\r": "&#13;"})


@dataclass(frozen=True, slots=True)
class RowLimit:
    """The longest training row, in tokens, and the titles of the presets that train with it."""

    tokens: int
    presets: tuple[str, ...]


def row_limits(presets: Mapping[str, TrainingPreset]) -> list[RowLimit]:
    """The longest rows that the training page offers, each once, in the order of its presets."""
    titles: dict[int, list[str]] = {}
    for preset in presets.values():
        titles.setdefault(preset.training.max_seq_length, []).append(preset.title)
    return [RowLimit(tokens, tuple(names)) for tokens, names in titles.items()]


def tokens_html(tokens: Sequence[TokenView], limit: int = LONGEST) -> str:
    """The first `limit` tokens as boxes; a browser gets slow beyond some thousand."""
    runs = groupby(tokens[:limit], key=lambda one: one.trained)
    boxes = "".join(_run("trained" if trained else "masked", run) for trained, run in runs)
    return f'<div class="tokens">{boxes}</div>{_more(len(tokens) - limit)}'


def prompt_html(tokens: Sequence[TokenView], limit: int = LONGEST) -> str:
    """The text of the first `limit` tokens, each control token a chip."""
    runs = groupby(tokens[:limit], key=lambda one: one.control)
    text = "".join("".join(map(_control, run)) if control else _text(run) for control, run in runs)
    return f'<div class="exact">{text}</div>{_more(len(tokens) - limit)}'


def _more(count: int) -> str:
    return f'<p class="more">… and {count:,} more tokens</p>' if count > 0 else ""


def _run(kind: str, tokens: Iterable[TokenView]) -> str:
    return f'<span class="{kind}">{"".join(map(_box, tokens))}</span>'


def _box(token: TokenView) -> str:
    hover = escape(f"{token.id}  {token.text!r}" if token.text else f"{token.id}  (more of the character before)")
    return f'<span{_look(token)} title="{hover}">{_visible(token.text)}</span>'


def _look(token: TokenView) -> str:
    """The class of a box that needs one."""
    if token.control:
        return ' class="control"'
    if token.text.startswith(" "):
        return ' class="spaces"' if token.text.isspace() else ' class="spaced"'
    return ""


def _control(token: TokenView) -> str:
    return f'<span class="control" title="control token {token.id}">{_visible(token.text)}</span>'


def _text(tokens: Iterable[TokenView]) -> str:
    return _visible("".join(token.text for token in tokens))


def _visible(text: str) -> str:
    return _UNSEEN.sub(_mark, escape(text)).translate(_CARRIED)


def _mark(match: re.Match[str]) -> str:
    return f'<span class="mark {_MARKS.get(match.group(), "unseen")}">{match.group()}</span>'
