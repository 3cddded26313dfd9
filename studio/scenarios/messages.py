"""Scenario -> chat messages: what every later stage (dataset, training, play) is given.

How a message becomes text for a model is the chat template's business, not this module's.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.scenarios.models import Role, Speaker, TrainingScenario

ROLE_OF_SPEAKER: dict[Speaker, Role] = {"User": "user", "DM": "assistant", "TOOLCALL": "tool"}


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `content` is the turn's text as written, stripped at both ends."""

    role: Role
    content: str

    def as_dict(self) -> dict[str, str]:
        """The form that chat templates take."""
        return {"role": self.role, "content": self.content}


def to_messages(scenario: TrainingScenario) -> list[Message]:
    """The system message (when there is a SYSTEM block with text), then one message per turn, in order."""
    system = scenario.system_context.text.strip()
    head = [Message("system", system)] if system else []
    return head + [Message(ROLE_OF_SPEAKER[turn.speaker], turn.content.strip()) for turn in scenario.conversation]
