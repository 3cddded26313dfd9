"""What a person says about a reply: good or bad, tags in plain words, a note. Kept in the session.

A rating names the reply by its turn and by the hash of its words, so it never stands under words that it was not about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator

LONGEST_TAG, LONGEST_NOTE = 40, 2000
_MOST_TAGS = 12


@dataclass(frozen=True)
class RatingTag:
    """A tag that is offered: its words, what it means, and whether it is praise."""

    words: str
    hint: str
    is_praise: bool = False


FORGOT_A_ROLL, WRONG_ROLL, NEEDLESS_ROLL = "forgot to ask for a roll", "asked for the wrong roll", "needless roll"
TAGS = (
    RatingTag(FORGOT_A_ROLL, "The outcome was in doubt, and the Dungeon Master decided it without the dice."),
    RatingTag(WRONG_ROLL, "It asked for another skill, save or attack than the action called for."),
    RatingTag(NEEDLESS_ROLL, "It asked for dice where nothing was in doubt."),
    RatingTag("invented a result", "It told how a roll went before the dice fell, or against them."),
    RatingTag("spoke for the players", "It decided what a player's character says, thinks or does."),
    RatingTag("lost the thread", "It forgot who is where, or what was said a moment ago."),
    RatingTag("against the sheets", "It gave somebody an item, a spell or hit points that the sheet has not."),
    RatingTag("out of character", "It spoke as a machine, about itself or about the rules, not as the narrator."),
    RatingTag("too long", "It went on after the players could have acted."),
    RatingTag("too short", "It told too little to act on."),
    RatingTag("wonderful", "More like this.", is_praise=True),
    RatingTag("right roll", "It asked for exactly the roll that the action called for.", is_praise=True),
    RatingTag("vivid", "One could see, hear and smell it.", is_praise=True),
)
"""What is offered, in this order. Anybody may write tags of their own beside them."""
HINTS = {one.words: one.hint for one in TAGS}


class Rating(BaseModel):
    """One person's word about the Dungeon Master's part of one turn."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    turn: int = Field(ge=0, description="Index into the turns of the session.")
    reply_sha256: str = Field(description="SHA-256 of the words that it is about; others in their place are not rated.")
    good: bool
    tags: tuple[str, ...] = ()
    note: str = ""
    at: datetime
    model: str = Field("", description="The file that spoke, and the adapter over it, as the session names them.")
    model_sha256: str = ""
    adapter_sha256: str = ""
    correction: str = Field("", description="Id of the scenario in which the reply was put right.")

    @field_validator("tags")
    @classmethod
    def _plain_tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Each once, on one line, none empty, none longer than a tag is."""
        lines = (" ".join(one.split())[:LONGEST_TAG].strip() for one in tags)
        return tuple(dict.fromkeys(one for one in lines if one))[:_MOST_TAGS]

    @field_validator("note")
    @classmethod
    def _short_note(cls, note: str) -> str:
        return note.strip()[:LONGEST_NOTE]

    @property
    def speaker(self) -> str:
        """Model and adapter in one: what ratings are counted by."""
        return f"{self.model_sha256}{self.adapter_sha256}"
