"""Sessions as they are after play, put together without a model: what was said, turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from studio.play import ChatMessage, ChatSession, ModelStamp, PlaySettings, TurnRecord, new_session
from studio.scenarios import MarkdownParser
from tests.play.conftest import SCENARIO

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
STAMP = ModelStamp(path="tavern.Q8_0.gguf", sha256="ab" * 32, context_tokens=2048, parents={"studio.run": "tavern"})
Said = tuple[str, str]


def played(*turns: Sequence[Said], session_id: str = "evening", text: str = SCENARIO) -> ChatSession:
    """A session of turns, each a list of who said what: `[("user", "I hide."), ("assistant", "You do.")]`."""
    session = new_session(
        MarkdownParser().parse_text(text),
        session_id=session_id,
        created=NOON,
        settings=PlaySettings(speaking_as="Sarah"),
        title="An evening",
    )
    for turn in turns:
        session.turns.append(TurnRecord(first_message=len(session.messages)))
        session.messages += [ChatMessage.model_validate({"role": role, "content": said}) for role, said in turn]
    session.model = STAMP
    return session


HIDES = [
    ("user", "I hide behind the bar."),
    ("assistant", "*SUCCESS* Nobody sees you. The room goes quiet. Then steps."),
]
ROLLED = [
    ("user", "I listen."),
    ("assistant", "Hush.\n\n[roll: perception]"),
    ("tool", "perception: 12 + 5(skill) = *17*"),
    ("assistant", "*SUCCESS* Two men whisper about a ledger."),
]
