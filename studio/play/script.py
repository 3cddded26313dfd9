"""Playing without a page: a script of player lines against a file, its transcript, and a chat in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import StudioError
from studio.play.client import HostOptions, ModelHost
from studio.play.events import (
    NoteEvent,
    PlayEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.play.game import game_after
from studio.play.protocol import HostInfo
from studio.play.runtime import play_turn
from studio.play.session import ChatMessage, ChatSession, ModelStamp, PlaySettings, new_session
from studio.scenarios import MarkdownParser, SystemContext, TrainingScenario, Vocabulary, load_vocabulary
from studio.workspace import Workspace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ScriptTurn(BaseModel):
    """One player line and everything that followed it."""

    model_config = ConfigDict(extra="forbid")

    player: str
    replies: list[ChatMessage] = Field(description="The DM's turns and the TOOLCALL turns between them.")
    rolls: list[RollEvent] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    statistics: TurnStatistics


class Transcript(BaseModel):
    """A whole script run: what is needed to judge it and to repeat it."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    title: str
    model: ModelStamp
    seed: int
    settings: PlaySettings
    turns: list[ScriptTurn]

    @property
    def roll_requests(self) -> int:
        """Directives that were rolled."""
        return sum(len(turn.rolls) for turn in self.turns)


def read_script(text: str) -> list[str]:
    """The player's lines of a script: one per line, blank lines and lines that begin with `#` left out."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def play_vocabulary(workspace: Workspace) -> Vocabulary:
    """The workspace's vocabulary. Raises `ConfigError`."""
    return load_vocabulary(workspace.config_file("tools.yaml"))


def read_scenario(workspace: Workspace, path: str | Path) -> TrainingScenario:
    """A scenario file to play in. Raises `WorkspaceError`."""
    return MarkdownParser(play_vocabulary(workspace)).parse_scenario(path)


def run_script(
    workspace: Workspace,
    model_path: str | Path,
    scenario: TrainingScenario | SystemContext | str,
    lines: Iterable[str],
    *,
    seed: int = 7,
    settings: PlaySettings | None = None,
    options: HostOptions | None = None,
    host: ModelHost | None = None,
    on_event: Callable[[PlayEvent], None] = lambda event: None,
) -> Transcript:
    """Play `lines` from the start of a scenario. Same file, seed, settings and threads: same transcript.

    Args:
        scenario: a scenario, whose own turns are not used, or a system text.
        host: one that is already there; else one is started for this run and ended after it.
        on_event: called with every event, for progress.

    Raises:
        StudioError: the file cannot be loaded or the conversation does not fit.
    """
    vocabulary = play_vocabulary(workspace)
    session = new_session(scenario, session_id="script", created=_EPOCH, seed=seed, settings=settings)
    own = None if host else ModelHost(model_path, options)
    used = host or own or ModelHost(model_path, options)
    try:
        turns = [_play_line(session, line, used, vocabulary, on_event) for line in lines]
        shown = used.path.relative_to(workspace.root) if used.path.is_relative_to(workspace.root) else used.path.name
        stamp = ModelStamp.of(used.info(), str(shown))
    finally:
        if own is not None:
            own.close()
    return Transcript(title=session.title, model=stamp, seed=seed, settings=session.settings, turns=turns)


def loaded_text(info: HostInfo) -> str:
    """Which file is loaded, and which adapter over it, with the beginnings of their hashes."""
    text = f"{Path(info.path).name} (SHA-256 {info.sha256[:12]})"
    if info.adapter is None:
        return text
    return f"{text} with the adapter {info.adapter.name} (SHA-256 {info.adapter.sha256[:12]})"


def _play_line(
    session: ChatSession, line: str, host: ModelHost, vocabulary: Vocabulary, on_event: Callable[[PlayEvent], None]
) -> ScriptTurn:
    start = len(session.messages)
    turn = ScriptTurn(player=line, replies=[], statistics=TurnStatistics())
    for event in play_turn(session, line, host, vocabulary, fresh=not session.turns):
        on_event(event)
        if isinstance(event, RollEvent):
            turn.rolls.append(event)
        elif isinstance(event, NoteEvent):
            turn.notes.append(event.text)
        elif isinstance(event, WindowEvent):
            turn.notes.append(window_note(event))
        elif isinstance(event, TurnEndEvent):
            turn.statistics = event.statistics
    turn.replies = session.messages[start + 1 :]
    return turn


def window_note(event: WindowEvent) -> str:
    """The sentence for a person when older turns no longer fit."""
    return (
        f"{event.newly_hidden} older messages no longer fit the context window of {event.context_tokens} tokens; "
        f"the model does not see {event.hidden} messages of this conversation."
    )


def transcript_markdown(transcript: Transcript, *, with_speed: bool = False) -> str:
    """The transcript as a page of documentation. Without `with_speed` the same run always gives the same text."""
    model, sampling = transcript.model, transcript.settings.sampling
    head = [
        f"# {transcript.title}",
        "",
        f"- Model: `{model.path}`, SHA-256 `{model.sha256}`",
        *([f"- Adapter: `{model.adapter}`, SHA-256 `{model.adapter_sha256}`"] if model.adapter_sha256 else []),
        f"- Seed {transcript.seed}, temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, "
        f"top-k {sampling.top_k}, min-p {sampling.min_p:g}, repeat penalty {sampling.repeat_penalty:g}, "
        f"window {model.context_tokens} tokens, {model.threads} threads",
        f"- Rolls asked for and thrown: {transcript.roll_requests}",
    ]
    body = [part for turn in transcript.turns for part in _turn_markdown(turn, with_speed)]
    return "\n".join([*head, *body]) + "\n"


def _turn_markdown(turn: ScriptTurn, with_speed: bool) -> list[str]:
    parts = ["", f"**Player:** {turn.player}"]
    for reply in turn.replies:
        parts += ["", _dice_markdown(reply.content) if reply.role == "tool" else f"**DM:** {reply.content}"]
    parts += [text for note in turn.notes for text in ("", f"*Note: {note}*")]
    figures = turn.statistics
    if with_speed:
        parts += [
            "",
            f"*First token after {figures.ttft_seconds:.2f} s, {figures.tokens_per_second:.0f} tokens/s, "
            f"{figures.n_evaluated} prompt tokens evaluated, {figures.n_reused} reused.*",
        ]
    return parts


def _dice_markdown(lines: str) -> str:
    return "\n".join(f"> `{line}`" for line in lines.splitlines())


def chat_loop(
    session: ChatSession,
    host: ModelHost,
    vocabulary: Vocabulary,
    read_line: Callable[[], str],
    write: Callable[[str], None],
    *,
    after_turn: Callable[[ChatSession], None] = lambda session: None,
) -> None:
    """A chat in the terminal: reads lines until `/quit` or the end of the input; `/party` says how everybody is.

    Args:
        read_line: gives the player's next line; raises EOFError at the end. Ctrl-C ends a reply.
        write: shows text as it comes, without adding a newline.
        after_turn: called after every turn, to save the session.
    """
    while True:
        try:
            line = read_line().strip()
        except (EOFError, KeyboardInterrupt):
            return
        if line == "/quit":
            return
        if line == "/party":
            write(party_text(session, vocabulary))
        elif line:
            _chat_turn(session, line, host, vocabulary, write)
            after_turn(session)


def _chat_turn(
    session: ChatSession, line: str, host: ModelHost, vocabulary: Vocabulary, write: Callable[[str], None]
) -> None:
    events = play_turn(session, line, host, vocabulary)
    try:
        for event in events:
            write(terminal_text(event))
    except KeyboardInterrupt:
        events.close()
        write("\n(stopped)\n")
    except StudioError as error:
        write(f"\n{error}\n")


def party_text(session: ChatSession, vocabulary: Vocabulary) -> str:
    """How everybody of the party is, a line each, and the order of combat."""
    game = game_after(session.system, session.messages, vocabulary, speaking_as=session.settings.speaking_as)
    order = ", ".join(f"{one.name} {one.total}" for one in game.initiative)
    lines = [f"  combat: {order or 'nobody has rolled yet'}"] if game.in_combat else []
    for one in game.party:
        slots = [
            f"level {level} slots {one.slots.get(level, 0)}/{most}" for level, most in sorted(one.max_slots.items())
        ]
        health = [] if one.hit_points is None else [f"{one.hit_points}/{one.max_hit_points} hit points"]
        lines.append(f"  {one.name}: {', '.join([*health, *one.conditions, *slots]) or 'nothing is known'}")
    return "\n".join(lines or ["  There is no party in this scene."]) + "\n"


def terminal_text(event: PlayEvent) -> str:
    """How an event looks in a terminal; empty for those that are not shown."""
    match event:
        case TokenEvent():
            return event.text
        case RollEvent():
            return "\n" + "".join(f"  >> {line}\n" for line in event.text.splitlines())
        case StateEvent():
            return "".join(f"\n  >> {line}\n" for line in event.lines if "*done*" not in line)
        case NoteEvent():
            return f"\n  ({event.text})\n"
        case WindowEvent():
            return f"  ({window_note(event)})\n"
        case TurnEndEvent():
            figures = event.statistics
            speed = f"{figures.tokens_per_second:.0f} tokens/s, first token after {figures.ttft_seconds:.2f} s"
            return f"\n  [{speed}, {figures.n_reused} prompt tokens reused]\n"
    return ""
