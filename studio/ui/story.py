"""A conversation as chat bubbles with dice chips: HTML in which nothing that a person or a model wrote is markup.

Markdown goes through markdown-it with raw HTML, links, images and entities switched off, so text can neither run a
script, nor load anything, nor lead anywhere. Colours are left to the style sheet (`style.css`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from studio.scenarios import ConversationTurn, Vocabulary, find_directives
from studio.scenarios.slots import expand, find_braces
from studio.ui.dice_chips import chip_html

_LONGEST_LABEL = 600
Speaker = Literal["User", "DM", "TOOLCALL"]
_NAMES: dict[str, str] = {"User": "Player", "DM": "Dungeon Master", "TOOLCALL": "Dice"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).disable(
    ["link", "image", "autolink", "html_inline", "html_block", "entity", "reference", "lheading", "code"]
)
_OUTCOMES = {"<em>SUCCESS</em>": "good", "<em>FAILED</em>": "bad"}
# Stand for the brackets of a directive while markdown is read; private-use characters that no one types.
_OPEN, _CLOSE = "\ue0d0", "\ue0d1"
_LANGUAGE = re.compile(r' class="language-[^"]*"')
"""The one attribute that holds words of the text: no chip may come to stand in it."""


def _below_the_title(state: StateCore) -> None:
    """A page has one title of the first order, and it is not in a bubble."""
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = {"h1": "h2", "h2": "h3"}.get(token.tag, token.tag)


_MARKDOWN.core.ruler.push("below_the_title", _below_the_title)


def story_html(turns: Iterable[ConversationTurn], vocabulary: Vocabulary) -> str:
    """All turns as one block of HTML; a slot shows its first option and a note of the others."""
    told = (turn_html(turn.speaker, turn.content, vocabulary, slots=True) for turn in turns)
    return f'<div class="story">{"".join(told)}</div>'


def turn_html(
    speaker: Speaker,
    content: str,
    vocabulary: Vocabulary,
    *,
    name: str = "",
    writing: bool = False,
    slots: bool = False,
) -> str:
    """One bubble. `writing` adds the mark of a turn that is not finished; `slots` reads those of an author's turn."""
    if speaker == "TOOLCALL":
        lines = (expand(content) if slots else content).splitlines()
        return f'<div class="turn dice">{"".join(chip_html(one, vocabulary) for one in lines)}</div>'
    cursor = '<span class="cursor"></span>' if writing else ""
    who = escape(name or _NAMES[speaker])
    body = _outcomes(_prose(content, vocabulary, slots=slots))
    return (
        f'<div class="turn {speaker.lower()}"><div class="who">{who}</div><div class="body">{body}{cursor}</div></div>'
    )


def scene_html(text: str) -> str:
    """The SYSTEM block as the scene that the story is set in; empty when nobody wrote one."""
    if not text.strip():
        return ""
    body = _MARKDOWN.render(expand(text))
    return f'<div class="turn scene"><div class="who">Scene and party</div><div class="body">{body}</div></div>'


def _prose(content: str, vocabulary: Vocabulary, *, slots: bool) -> str:
    """Markdown as HTML, each directive as a chip, and a small one behind the words that were chosen of a slot."""
    clean = content.replace(_OPEN, "").replace(_CLOSE, "")
    chips: list[str] = []
    if slots:
        clean = _first_options(clean, chips)
    directives = find_directives(clean, vocabulary)
    pieces: list[str] = []
    place = 0
    for one in directives:
        pieces += [clean[place : one.start], f"{_OPEN}{len(chips)}{_CLOSE}"]
        chips.append(
            f'<span class="chip {"ask" if one.valid else "odd"}">{_icon("casino")}{escape(one.written)}</span>'
        )
        place = one.end
    html: str = _LANGUAGE.sub("", _MARKDOWN.render("".join([*pieces, clean[place:]])))
    for number, chip in enumerate(chips):
        html = html.replace(f"{_OPEN}{number}{_CLOSE}", chip)
    return html


def _first_options(text: str, chips: list[str]) -> str:
    """The text with the first option of every slot; where there was a choice, the place of a chip with the others."""
    pieces, place = [], 0
    for slot in find_braces(text).slots:
        first, *others = [expand(text[start:end]) for start, end in slot.options]
        pieces += [text[place : slot.start], first]
        place = slot.end
        if not slot.is_fixed:
            pieces.append(f"{_OPEN}{len(chips)}{_CLOSE}")
            chips.append(_others(others))
    return expand("".join([*pieces, text[place:]]))


def _others(options: list[str]) -> str:
    said = " · ".join(" ".join(one.split()) or "(nothing)" for one in options)
    label = escape(f"Another time: {said}"[:_LONGEST_LABEL], quote=True)
    return f'<span class="others" title="{label}">+{len(options)}</span>'


def _outcomes(html: str) -> str:
    for written, kind in _OUTCOMES.items():
        html = html.replace(written, f'<span class="outcome {kind}">{written[4:-5]}</span>')
    return html


def _icon(name: str) -> str:
    return f'<span class="icon" aria-hidden="true">{name}</span>'
