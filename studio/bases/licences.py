"""Licence texts of base models as plain text, whether a package carries them as text or as a saved web page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_BLOCKS = {"p", "div", "li", "h1", "h2", "h3", "h4", "h5", "tr", "br", "section", "article", "ol", "ul"}
_SKIPPED = {"script", "style", "head", "nav", "header", "footer", "svg", "button", "template", "noscript"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


def as_plain_text(content: bytes, member: str) -> str:
    """The licence as text; `member` (the file's name in its package) says whether it is HTML."""
    text = content.decode("utf-8", errors="replace")
    if not member.lower().endswith((".html", ".htm")):
        return text
    reader = _ArticleReader()
    reader.feed(text)
    return reader.text()


class _ArticleReader(HTMLParser):
    """Collects what a reader sees, without menus and scripts; the <article> or <main> alone if there is one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._skip = 0
        self._article = 0
        self._all: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skip += tag in _SKIPPED
        self._article += tag in ("article", "main")
        if tag == "h1":  # the licence begins at its title; what stood before is the site's menu
            self._all, self._inside = [], []
        if tag in _BLOCKS:
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        self._skip = max(0, self._skip - (tag in _SKIPPED))
        if tag in _BLOCKS - _VOID:
            self._add("\n")
        self._article = max(0, self._article - (tag in ("article", "main")))

    def handle_data(self, data: str) -> None:
        if not self._skip:
            self._add(re.sub(r"\s+", " ", data))

    def _add(self, text: str) -> None:
        self._all.append(text)
        if self._article:
            self._inside.append(text)

    def text(self) -> str:
        joined = "".join(self._inside or self._all)
        lines = (line.strip() for line in joined.split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"
