"""Lets the model write on from messages that a person put together: a draft for a correction, which she changes."""

from __future__ import annotations

from collections.abc import Sequence

from studio.play.context.window import fit_window
from studio.play.hosts.client import ModelHost
from studio.play.hosts.protocol import Token
from studio.play.sessions.session import ChatMessage, ChatSession, as_messages
from studio.play.turns.prompt import PromptRenderer
from studio.scenarios import Vocabulary, find_directives


def draft_reply(
    session: ChatSession,
    messages: Sequence[ChatMessage],
    host: ModelHost,
    vocabulary: Vocabulary,
    *,
    begins_with: str = "",
    attempt: int = 0,
) -> str:
    """What the model would say next after `messages`, requests taken out.

    Args:
        begins_with: words that it must begin with, such as `*SUCCESS*`; they are part of what is returned.
        attempt: another number, another draft.

    Raises:
        PlayError: the file cannot be loaded, the conversation does not fit, or the host died.
    """
    info = host.info()
    renderer = PromptRenderer.for_file(info)

    def count(some: list[ChatMessage]) -> int:
        return len(host.tokenize(renderer.prompt(as_messages(some))))

    reserve = min(session.settings.window_reserve, info.context_tokens // 4)
    window = fit_window(list(messages), session.system_messages, info.context_tokens - reserve, count)
    prompt = renderer.prompt(as_messages(window.messages)) + (f"{begins_with} " if begins_with else "")
    seed = session.generation_seed(session.generations + attempt)
    sampling = session.settings.sampling.model_copy(update={"seed": seed})
    generation = host.generate(prompt, sampling, stop=renderer.stop_strings)
    said = "".join(one.text for one in generation if isinstance(one, Token))
    return f"{begins_with} {_without_requests(said, vocabulary)}".strip()


def _without_requests(text: str, vocabulary: Vocabulary) -> str:
    """A draft tells how it went; the next request is a person's to write."""
    for one in reversed(find_directives(text, vocabulary)):
        text = text[: one.start] + text[one.end :]
    return text.strip()
