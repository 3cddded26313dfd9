"""What of a session its model is shown: the system block with the recap in it, and the turns from one message on.

One function for the prompt, the page and the tests. Which turns are hidden is decided elsewhere (`context`).
"""

from __future__ import annotations

from studio.play.context.recap import Recap
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.scenarios.recap import with_recap


def first_seen(session: ChatSession) -> int:
    """Index of the first message after the system one that the model sees; what lies between is hidden from it."""
    return min(max(session.first_visible, session.system_messages), len(session.messages))


def current_recap(session: ChatSession) -> Recap | None:
    """The recap of what is hidden now; None when nothing is, when it is not wanted, or when an edit made it stale."""
    first = first_seen(session)
    if session.settings.when_full == "hide":
        return None
    return next((one for one in reversed(session.recaps) if one.tells_of(session.messages, first)), None)


def seen_messages(session: ChatSession) -> list[ChatMessage]:
    """The messages as the model is given them."""
    recap = current_recap(session)
    return as_seen(session, first_seen(session), recap.text if recap else "")


def as_seen(session: ChatSession, first: int, recap: str) -> list[ChatMessage]:
    """The same with another beginning and another recap."""
    system = session.messages[0].content if session.system_messages else ""
    head = with_recap(system, recap)
    return [*([ChatMessage(role="system", content=head)] if head else []), *session.messages[first:]]
