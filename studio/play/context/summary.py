"""The model's own summary of turns that leave its window: its reply to a request of the studio's, not part of play.

The request follows the turns that it is about, so the model has most of them in its KV cache already and reads little
more than the request. Small models summarise badly: what is kept of their words is checked (`summary_check`), and the
numbers never come from them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from studio.play.hosts.client import ModelHost
from studio.play.hosts.protocol import Done, Sampling, Token
from studio.play.sessions.session import ChatMessage, as_messages
from studio.play.turns.events import RecapProgressEvent
from studio.play.turns.prompt import PromptRenderer

REQUEST = (
    "We stop the game for a moment. Write down what has happened so far for your notes: three short sentences, with "
    "the names of those who acted and what is still to be decided. Ask for no dice."
)
PATIENCE_SECONDS = 0.3
"""How often somebody who waits for the model may look up."""
SAMPLING = Sampling(temperature=0.0, max_tokens=128)


@dataclass(frozen=True)
class Summary:
    """What the model wrote, and what that took. `text` is empty when it was stopped or had nothing to say."""

    text: str
    n_evaluated: int = 0
    n_generated: int = 0


def summarise(
    messages: Sequence[ChatMessage],
    host: ModelHost,
    renderer: PromptRenderer,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[RecapProgressEvent, None, Summary]:
    """Ask the model for a summary of the messages; leaving the loop early or `should_stop` cancels it.

    Raises:
        PlayError: it does not fit, or the host died or hung.
    """
    prompt = renderer.prompt(as_messages([*messages, ChatMessage(role="user", content=REQUEST)]))
    generation = host.generate(prompt, SAMPLING, stop=renderer.stop_strings)
    text, stopped = "", False
    for message in generation.heard(PATIENCE_SECONDS):
        if isinstance(message, Done):
            read = message.n_prompt - message.n_reused
            return Summary("" if stopped else text.strip(), read, message.n_generated)
        text += message.text if isinstance(message, Token) else ""
        yield RecapProgressEvent(text=text)
        if not stopped and should_stop():
            stopped = True
            generation.cancel()
    return Summary("")
