"""Scenario -> chat messages: what every later stage (dataset, training, play) is given.

How a message becomes text for a model is the chat template's business, not this module's.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.scenarios.models import Role, Speaker, TrainingScenario
from studio.scenarios.slots import Choice, has

ROLE_OF_SPEAKER: dict[Speaker, Role] = {"User": "user", "DM": "assistant", "TOOLCALL": "tool"}


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `content` is the turn's text without slots, stripped at both ends."""

    role: Role
    content: str

    def as_dict(self) -> dict[str, str]:
        """The form that chat templates take."""
        return {"role": self.role, "content": self.content}


def to_messages(scenario: TrainingScenario, seed: int | None = None) -> list[Message]:
    """The system message (when there is a SYSTEM block with text), then one message per turn, in order.

    No slot (`slots.py`) is left in them. Those of players and DM become one of their options: by chance with a seed,
    the same for the same text, else the first. In the SYSTEM block and in answers it is always the first.
    """
    chosen, first = Choice(seed), Choice()
    system = first.words(scenario.system_context.text.strip()).strip()
    head = [Message("system", system)] if system else []
    return head + [
        Message(
            ROLE_OF_SPEAKER[turn.speaker],
            (first if turn.speaker == "TOOLCALL" else chosen).words(turn.content.strip()).strip(),
        )
        for turn in scenario.conversation
    ]


def leaves_choices(scenario: TrainingScenario) -> bool:
    """Whether a turn of a player or the DM has a slot: then another seed may give other messages."""
    return any(turn.speaker != "TOOLCALL" and has(turn.content) for turn in scenario.conversation)
