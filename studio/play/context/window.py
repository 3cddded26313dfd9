"""What of a conversation fits the context window: the system block and whole turns, the newest ones.

A turn begins with the player's message and holds everything up to her next one, so a directive is never parted from its
result. When turns must go, a quarter of the room is freed at once: the turns that follow then keep their KV cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.errors import PlayError
from studio.play.sessions.session import ChatMessage
from studio.scenarios import Vocabulary, find_directives

_KEEP_AFTER_CUT = 0.75


@dataclass(frozen=True)
class Window:
    """The messages that the model sees and what they cost."""

    messages: list[ChatMessage]
    first_visible: int
    prompt_tokens: int


def fit_window(
    messages: list[ChatMessage],
    first_visible: int,
    budget: int,
    count: Callable[[list[ChatMessage]], int],
    *,
    keep_from: int | None = None,
) -> Window:
    """The newest turns that fit `budget` tokens, the system message always.

    Args:
        messages: the whole conversation, newest last.
        first_visible: index where the last window began; turns that were hidden stay hidden.
        budget: tokens that the prompt may have.
        count: tokens of a conversation as it would be rendered.
        keep_from: the turns from this message on stay, too, unless the newest one fits only without them.

    Raises:
        PlayError: the system text and the newest turn alone do not fit.
    """
    head = messages[:1] if messages and messages[0].role == "system" else []
    start = max(first_visible, len(head))
    tokens = count(head + messages[start:])
    if tokens <= budget:
        return Window(head + messages[start:], start, tokens)
    for later in _turn_starts(messages, start):
        if keep_from is not None and later > keep_from and tokens <= budget:
            break
        start, tokens = later, count(head + messages[later:])
        if tokens <= budget * _KEEP_AFTER_CUT:
            break
    if tokens <= budget:
        return Window(head + messages[start:], start, tokens)
    raise PlayError(
        f"The system text and the newest turn have {tokens} tokens and {budget} fit.",
        why="They must always be shown to the model.",
        next_step="Shorten the system text or the message, or choose a larger context window.",
    )


def open_request(messages: list[ChatMessage], vocabulary: Vocabulary) -> int | None:
    """Where the turn begins that ended with a roll nobody answered, if the player has only spoken once since."""
    starts = [index for index, one in enumerate(messages) if one.role == "user"]
    if len(starts) < 2 or messages[starts[-1] - 1].role != "assistant":
        return None
    asked = find_directives(messages[starts[-1] - 1].content, vocabulary)
    return starts[-2] if any(one.asks_for_dice for one in asked) else None


def _turn_starts(messages: list[ChatMessage], after: int) -> list[int]:
    """Indices of the player's messages after `after`; `after` itself when there is none."""
    starts = [index for index, one in enumerate(messages) if index > after and one.role == "user"]
    return starts or [after]
