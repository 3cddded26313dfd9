"""Playing without anybody at the table: a script of player lines against a file, and its transcript."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import PlayError
from studio.play.hosts.client import HostOptions, ModelHost
from studio.play.hosts.protocol import HostInfo
from studio.play.sessions.session import ChatMessage, ChatSession, ModelStamp, PlaySettings, new_session
from studio.play.turns.events import (
    NoteEvent,
    PlayEvent,
    RollEvent,
    TurnEndEvent,
    TurnStatistics,
    WindowEvent,
)
from studio.play.turns.runtime import play_turn
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


def load_script(path: Path) -> list[str]:
    """The player's lines of a script file, at least one. Raises `PlayError`."""
    try:
        lines = read_script(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlayError(
            "The script cannot be read.", why=f"{error}.", next_step="Check its path.", where=str(path)
        ) from error
    if not lines:
        raise PlayError("The script has no player line.", next_step="Write one line per player turn.", where=str(path))
    return lines


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
    session = new_session(scenario, session_id="script", created=_EPOCH, seed=seed, settings=_with_dice(settings))
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


def _with_dice(settings: PlaySettings | None) -> PlaySettings:
    """Nobody sits at the table who could throw dice."""
    return (settings or PlaySettings()).model_copy(update={"dice": "studio"})


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
