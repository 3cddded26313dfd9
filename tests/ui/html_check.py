"""Reads HTML back: which elements and attributes it holds, and the text that a reader sees."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = {
    "div", "span", "p", "br", "b", "em", "strong", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
    "blockquote", "pre", "code",
}  # fmt: skip
ATTRIBUTES = {"class", "title", "aria-hidden", "start"}


class Reading(HTMLParser):
    """`elements` is every (tag, attributes), `text` what stands between them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.strange: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    def handle_decl(self, decl: str) -> None:
        self.strange.append(decl)

    def handle_pi(self, data: str) -> None:
        self.strange.append(data)

    def assert_harmless(self) -> None:
        """No element, attribute, comment or declaration beyond what the studio itself writes."""
        assert {tag for tag, _ in self.elements} <= TAGS
        assert {name for _, attributes in self.elements for name in attributes} <= ATTRIBUTES
        assert self.strange == []

    def classes(self) -> list[str]:
        """The class attributes, in order."""
        return [attributes["class"] or "" for _, attributes in self.elements if "class" in attributes]
