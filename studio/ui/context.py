"""What a model still sees of its conversation, in a reader's words and as a bar."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from studio.play import ChatSession, RecapEvent, TurnEndEvent
from studio.play.context.model_view import current_recap, first_seen
from studio.ui.wording import count

_MAKERS = {"studio": "by the studio", "model": "by the model, its numbers by the studio"}


@dataclass(frozen=True)
class Shares:
    """What the context window holds, in tokens."""

    system: int
    recap: int
    turns: int
    window: int

    @property
    def used(self) -> int:
        """All that the model is given before it speaks."""
        return self.system + self.recap + self.turns

    @property
    def free(self) -> int:
        """What is left for the reply and for what follows."""
        return max(0, self.window - self.used)


def shares_html(shares: Shares) -> str:
    """The window as a bar with a legend."""
    parts = [("system", "scene and party", shares.system), ("recap", "recap", shares.recap)]
    parts += [("turns", "turns", shares.turns), ("free", "free", shares.free)]
    shown = [one for one in parts if one[2]]
    total = max(1, shares.used + shares.free)
    bars = "".join(f'<span class="{kind}" style="width:{number / total:.2%}"></span>' for kind, _, number in shown)
    legend = "".join(
        f'<span><i class="{kind}" aria-hidden="true"></i>{escape(name)} {number:,}</span>'
        for kind, name, number in shown
    )
    label = f"{shares.used:,} of {shares.window:,} tokens are used"
    return (
        f'<div class="window"><div class="window-bar" role="img" aria-label="{label}">{bars}</div>'
        f'<div class="window-legend">{legend}</div></div>'
    )


def context_title(session: ChatSession) -> str:
    """One line: how much of the conversation the model sees."""
    hidden = first_seen(session) - session.system_messages
    if not hidden:
        return "The model sees the whole conversation"
    recap = current_recap(session)
    told = f" and reads a recap of them {_MAKERS[recap.made_by]}" if recap else ""
    return f"The model no longer sees the first {count(hidden, 'message')}{told}"


def view_words(session: ChatSession) -> str:
    """What stands in the story where the view of the model begins."""
    told = "reads a recap of what is above" if current_recap(session) else "does not know what is above"
    return f"The model sees from here on and {told}"


def recap_cost(session: ChatSession) -> str:
    """What the last recap took, and what the studio set right in it; empty when there was none."""
    events = [one for turn in session.turns for one in turn.events if isinstance(one, RecapEvent)]
    recap = current_recap(session)
    made = next((one for one in reversed(events) if recap and one.text == recap.text), None)
    if made is None:
        return ""
    took = f"Making this recap took {made.seconds:.1f} s"
    if made.n_generated:
        took += f" ({made.n_evaluated:,} tokens read, {made.n_generated:,} written)"
    return f"{took}. It changed the beginning of the prompt, so what follows had to be read again once."


def last_turn_cost(session: ChatSession) -> str:
    """What the last turn read anew and what it found in the KV cache; empty before the first turn."""
    ends = [one for one in (session.turns[-1].events if session.turns else []) if isinstance(one, TurnEndEvent)]
    if not ends:
        return ""
    figures = ends[-1].statistics
    return f"The last turn read {count(figures.n_evaluated, 'prompt token')} and reused {figures.n_reused:,}."


def estimated(session: ChatSession, window: int) -> Shares | None:
    """The shares as the last turn left them, where nothing may be counted now; None before the first turn."""
    ends = [one for one in (session.turns[-1].events if session.turns else []) if isinstance(one, TurnEndEvent)]
    used = ends[-1].statistics.n_prompt + ends[-1].statistics.n_generated if ends else 0
    return Shares(0, 0, used, window) if used else None
