"""`Recap`: what the model is told of the turns that it no longer sees, and what a session must hold for it to count."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

RecapMaker = Literal["studio", "model"]


class _Said(Protocol):
    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


class Recap(BaseModel):
    """The recap of the messages before `until`; it stands at the end of the system block (`scenarios.recap`)."""

    model_config = ConfigDict(extra="forbid")

    text: str
    made_by: RecapMaker
    until: int = Field(description="Index of the first message that it does not tell of.")
    of: str = Field(description="Hash of the messages that it tells of: an edit among them makes it stale.")
    corrections: list[str] = Field(default_factory=list, description="What the studio set right in the model's words.")

    def tells_of(self, messages: Sequence[_Said], first_visible: int) -> bool:
        """Whether it is the recap of what is hidden now."""
        return self.until == first_visible <= len(messages) and self.of == hash_of(messages[: self.until])


def hash_of(messages: Sequence[_Said]) -> str:
    """A hash of who said what."""
    digest = hashlib.sha256()
    for one in messages:
        digest.update(f"{one.role}\0{one.content}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
