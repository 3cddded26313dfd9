"""What happens during a turn, as typed events: pages, the terminal and transcripts all read the same stream."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.play.context.recap import RecapMaker
from studio.play.hosts.protocol import Done, StopReason
from studio.play.turns.rolls import Roll, RollRequest

EndReason = StopReason | Literal["waiting_for_dice"]
"""Why a turn ended; `waiting_for_dice`: the player throws her own and the turn goes on with `enter_rolls`."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PrefillEvent(_Event):
    """The prompt has been read: `n_reused` of its `n_prompt` tokens were already in the KV cache."""

    kind: Literal["prefill"] = "prefill"
    n_prompt: int
    n_reused: int
    seconds: float


class TokenEvent(_Event):
    """More text of the DM's reply."""

    kind: Literal["token"] = "token"
    text: str


class DirectiveEvent(_Event):
    """A request in the finished reply; one that is not `valid` stays plain text, and `problems` says why."""

    kind: Literal["directive"] = "directive"
    written: str
    tool_name: str = ""
    arguments: dict[str, str] = Field(default_factory=dict)
    valid: bool
    problems: list[str] = Field(default_factory=list)


class RollEvent(_Event):
    """A roll directive was answered; `text` is the TOOLCALL turn that the model is given."""

    kind: Literal["roll"] = "roll"
    directive: str
    text: str
    rolls: list[Roll]
    own_dice: bool = Field(False, description="The player threw dice of her own.")


class DiceAskedEvent(_Event):
    """The player is to throw her own dice; the turn waits for them."""

    kind: Literal["dice_asked"] = "dice_asked"
    request: RollRequest


class ReadingEvent(_Event):
    """Nothing new yet: the model reads the conversation, or serves somebody else first. Never kept."""

    kind: Literal["reading"] = "reading"
    done: int = Field(0, description="Prompt tokens evaluated so far; 0 when the host has not said.")
    total: int = 0


class StateEvent(_Event):
    """A marker or change of the game's state that needs no dice, such as `[begin combat]`; `lines` say what it did."""

    kind: Literal["state"] = "state"
    written: str
    tool_name: str
    arguments: dict[str, str] = Field(default_factory=dict)
    lines: list[str] = Field(default_factory=list)


class NoteEvent(_Event):
    """Something a person should know: what happened and, if known, why."""

    kind: Literal["note"] = "note"
    code: Literal["ignored_directive", "roll", "roll_limit", "state", "empty_reply", "cut_short", "window"]
    text: str


class WindowEvent(_Event):
    """Older messages no longer fit the context window: the model does not see the session's first `hidden` ones."""

    kind: Literal["window"] = "window"
    hidden: int
    newly_hidden: int
    prompt_tokens: int
    context_tokens: int


class RecapProgressEvent(_Event):
    """The model is writing a summary of turns that leave its window; `text` is all of it so far. Not kept."""

    kind: Literal["recap_progress"] = "recap_progress"
    text: str


class RecapEvent(_Event):
    """The model is told of the hidden turns in another recap from now on, and what making it took."""

    kind: Literal["recap"] = "recap"
    text: str
    made_by: RecapMaker
    corrections: list[str] = Field(default_factory=list)
    seconds: float = 0.0
    n_evaluated: int = Field(0, description="Tokens that were read for it, the prompt that follows not included.")
    n_generated: int = 0


class TurnStatistics(_Event):
    """One player turn in figures. The turn may hold several generations, one more than it has rolls to answer."""

    generations: int = 0
    n_prompt: int = Field(0, description="Prompt tokens of the last generation.")
    n_evaluated: int = Field(0, description="Prompt tokens that had to be evaluated, all generations together.")
    n_reused: int = Field(0, description="Prompt tokens taken from the KV cache in the first generation.")
    n_generated: int = 0
    ttft_seconds: float = Field(0.0, description="Time to first token of the first generation.")
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    rolls: int = 0
    requests: int = 0
    malformed: int = Field(0, description="Requests that could not be understood.")
    peak_memory_bytes: int = 0

    @property
    def tokens_per_second(self) -> float:
        """Decoding speed; the first token of each generation belongs to its prefill."""
        decoded = self.n_generated - self.generations
        return decoded / self.decode_seconds if self.decode_seconds > 0 and decoded > 0 else 0.0

    def add(self, done: Done) -> None:
        """Count one generation."""
        if not self.generations:
            self.ttft_seconds, self.n_reused = done.ttft_seconds, done.n_reused
        self.generations += 1
        self.n_prompt = done.n_prompt
        self.n_evaluated += done.n_prompt - done.n_reused
        self.n_generated += done.n_generated
        self.prefill_seconds += done.prefill_seconds
        self.decode_seconds += done.decode_seconds
        self.peak_memory_bytes = max(self.peak_memory_bytes, done.peak_memory_bytes)


class TurnEndEvent(_Event):
    """The turn is over and part of the session."""

    kind: Literal["turn_end"] = "turn_end"
    reason: EndReason
    statistics: TurnStatistics


PlayEvent = Annotated[
    PrefillEvent
    | TokenEvent
    | DirectiveEvent
    | RollEvent
    | DiceAskedEvent
    | ReadingEvent
    | StateEvent
    | NoteEvent
    | WindowEvent
    | RecapProgressEvent
    | RecapEvent
    | TurnEndEvent,
    Field(discriminator="kind"),
]
"""Any of the above."""
