"""A scenario as it was read from its file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScenarioDocument:
    """A scenario as it was read: its text, byte order mark and line ends included, and the revision to save against."""

    id: str
    text: str
    revision: str

    @property
    def is_utf8(self) -> bool:
        """False when some bytes are not UTF-8; such text has lone surrogates and cannot be shown in a browser."""
        return not any("\udc80" <= letter <= "\udcff" for letter in self.text)
