"""`ChatSession`: one conversation with one model file, as it is kept on disk."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.play.context.recap import Recap
from studio.play.hosts.protocol import HostInfo, Sampling
from studio.play.teaching.ratings import Rating
from studio.play.turns.events import PlayEvent
from studio.play.turns.rolls import RollRequest
from studio.scenarios import Message, Role, SystemContext, TrainingScenario, to_messages

_GENERATION_STRIDE = 1_000_003
"""A prime: generation seeds of neighbouring session seeds do not meet."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=(), validate_assignment=True)


class ChatMessage(_Kept):
    """One message of the conversation."""

    role: Role
    content: str
    original: str | None = Field(None, description="The model's own words, once somebody put others in their place.")


class ModelStamp(_Kept):
    """Which file the session was played with, by content."""

    path: str
    sha256: str
    name: str = ""
    context_tokens: int
    threads: int = Field(0, description="Processor threads; another number may round differently.")
    parents: dict[str, str] = Field(default_factory=dict)
    adapter: str = Field("", description="The adapter that was laid over the file, such as tavern/checkpoint-40.")
    adapter_sha256: str = ""

    @classmethod
    def of(cls, info: HostInfo, shown_path: str = "") -> ModelStamp:
        """The stamp of a loaded file; `shown_path` is how to name it, its file name by default."""
        return cls(
            path=shown_path or Path(info.path).name,
            sha256=info.sha256,
            name=info.name,
            context_tokens=info.context_tokens,
            threads=info.threads,
            parents=info.parents,
            adapter=info.adapter.name if info.adapter else "",
            adapter_sha256=info.adapter.sha256 if info.adapter else "",
        )


WhenFull = Literal["hide", "studio", "summarise"]


class PlaySettings(_Kept):
    """What the player can set. `sampling.seed` is not used: each generation's seed follows from the session's."""

    sampling: Sampling = Sampling()
    rolls_per_turn: int = Field(4, ge=0, le=50, description="Roll requests answered in one player turn.")
    speaking_as: str = Field("", description="Character the player speaks for; empty: by `Name:` or the first one.")
    grammar: str = Field("", description="GBNF for every reply; empty means free text.")
    valid_requests: bool = Field(
        False, description="Once it has opened a bracket, the model can only write a request of the vocabulary."
    )
    window_reserve: int = Field(256, ge=0, description="Tokens of the window kept free for the reply.")
    context_tokens: int = Field(2048, ge=64, le=131_072, description="Size of the context window.")
    when_full: WhenFull = Field(
        "hide",
        description="What becomes of the oldest turns when the window is full: only hidden, told in a recap of the "
        "studio's, or summarised by the model with the numbers from the studio.",
    )
    dice: Literal["studio", "own"] = Field(
        "studio", description="`own`: the player throws dice of her own and says what they show."
    )


class Counters(_Kept):
    """How far a session is: dice, seeds and window of what follows depend on these."""

    rolls: int = 0
    generations: int = 0
    first_visible: int = 0


class Telling(_Kept):
    """One way in which a turn went: everything that followed the player's line."""

    messages: list[ChatMessage]
    events: list[PlayEvent] = Field(default_factory=list)
    pending: list[RollRequest] = Field(default_factory=list)
    after: Counters


class TurnRecord(_Kept):
    """What happened in one player turn, tokens left out.

    `first_message` is the index of the player's message, or of the DM's where nobody spoke before.
    """

    first_message: int
    events: list[PlayEvent] = Field(default_factory=list)
    start: Counters | None = Field(None, description="As the session was before; None in sessions of an older studio.")
    pending: list[RollRequest] = Field(default_factory=list, description="Dice that the player still has to throw.")
    alternatives: list[Telling] = Field(default_factory=list, description="Other ways in which the turn went.")
    chosen: int = Field(0, description="Place of the way that counts among all of them, in the order they were told.")


class TakenBack(_Kept):
    """A turn that was taken back, whole."""

    messages: list[ChatMessage]
    record: TurnRecord
    after: Counters


class BranchPoint(_Kept):
    """Where two sessions part: the other one, and the first message that they do not share."""

    session: str
    message: int


class ChatSession(_Kept):
    """A conversation, everything needed to go on with it, and everything needed to replay it."""

    id: str
    title: str = ""
    created: datetime
    seed: int = Field(7, ge=0, lt=2**32)
    system: SystemContext = Field(default_factory=SystemContext)
    messages: list[ChatMessage] = Field(default_factory=list, description="The system message first, if there is one.")
    model: ModelStamp | None = None
    settings: PlaySettings = Field(default_factory=PlaySettings)
    turns: list[TurnRecord] = Field(default_factory=list)
    generations: int = Field(0, description="Replies generated so far; the next one's seed follows from it.")
    rolls: int = Field(0, description="Directives rolled so far; the next dice follow from it.")
    first_visible: int = Field(0, description="Index of the first message after the system one that the model sees.")
    recaps: list[Recap] = Field(default_factory=list, description="What the model was told of messages before that.")
    group: str = Field("", description="Sessions that are compared with each other have the same one.")
    playable: str = Field("", description="The file or adapter to play with, as the pages call it; empty: by `model`.")
    branched_from: BranchPoint | None = Field(None, description="The session that this one went another way from.")
    branches: list[BranchPoint] = Field(default_factory=list, description="Sessions that go another way from here.")
    taken_back: list[TakenBack] = Field(default_factory=list, description="Undone turns, until something new is said.")
    ratings: list[Rating] = Field(default_factory=list, description="What people said about replies.")

    def generation_seed(self, number: int) -> int:
        """The sampling seed of generation `number`, counted from 0."""
        return (self.seed * _GENERATION_STRIDE + number) % 2**32

    def dice_generator(self, number: int, asked: str = "") -> random.Random:
        """The random generator of roll `number`, counted from 0: a saved session goes on with the same dice.

        Where sessions are compared (`group`), dice follow from the turn and from what is `asked` for instead, so that
        models which ask for the same get the same.
        """
        place = f"turn {len(self.turns)}/{asked}" if self.group and asked else str(number)
        return random.Random(f"{self.seed}/dice/{place}")  # noqa: S311 - dice, not secrets

    @property
    def counters(self) -> Counters:
        """How far it is."""
        return Counters(rolls=self.rolls, generations=self.generations, first_visible=self.first_visible)

    @property
    def pending(self) -> list[RollRequest]:
        """Dice that the player still has to throw before the turn goes on."""
        return self.turns[-1].pending if self.turns else []

    @property
    def system_messages(self) -> int:
        """1 if the conversation begins with a system message, else 0."""
        return int(bool(self.messages) and self.messages[0].role == "system")


def new_session(
    scenario: TrainingScenario | SystemContext | str,
    *,
    session_id: str,
    created: datetime,
    seed: int = 7,
    settings: PlaySettings | None = None,
    turns: int = 0,
    title: str = "",
) -> ChatSession:
    """A session that begins where a scenario does.

    Args:
        scenario: a scenario, its system block, or a system text of one's own.
        session_id: name of its file; the caller makes it unique.
        created: shown in lists.
        turns: how many turns of the scenario have already been played; the player goes on from there.
    """
    whole = _as_scenario(scenario)
    head = to_messages(whole.model_copy(update={"conversation": whole.conversation[:turns]}))
    return ChatSession(
        id=session_id,
        title=title or str(whole.metadata.get("title", "")) or session_id,
        created=created,
        seed=seed,
        system=whole.system_context,
        messages=[ChatMessage(role=one.role, content=one.content) for one in head],
        settings=settings or PlaySettings(),
    )


def as_messages(messages: list[ChatMessage]) -> list[Message]:
    """The form that rendering takes."""
    return [Message(one.role, one.content) for one in messages]


def _as_scenario(scenario: TrainingScenario | SystemContext | str) -> TrainingScenario:
    if isinstance(scenario, TrainingScenario):
        return scenario
    system = SystemContext(text=scenario.strip()) if isinstance(scenario, str) else scenario
    return TrainingScenario(system_context=system)
