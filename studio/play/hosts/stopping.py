"""Tokens of a reply -> its text: whole characters, and held back only while they may still become a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class StopStrings:
    """Feed it pieces of text; it gives back what is certainly not part of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.hit = False

    def feed(self, piece: str) -> str:
        """The text that may be shown now; the stop string and what follows it never is."""
        if self.hit:
            return ""
        text = self._held + piece
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self, piece: str = "") -> str:
        """What is left when the stream ends."""
        text = self.feed(piece)
        held, self._held = self._held, ""
        return text + held


class ReplyText:
    """The text of one reply, fed with the bytes of token after token."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._stops = StopStrings(stops)

    @property
    def hit(self) -> bool:
        """Whether a stop string has come."""
        return self._stops.hit

    def feed(self, piece: bytes) -> str:
        """The text that may be shown now."""
        return self._stops.feed(self._decoder.decode(piece))

    def rest(self) -> str:
        """What was held back; half a character, where the reply was cut in the middle of one, is left out."""
        return self._stops.flush()


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:size])), 0)
