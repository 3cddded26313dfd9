"""A chat in the terminal: the player's lines, commands that begin with a slash, and dice that she throws herself."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

from studio.errors import PlayError, StudioError
from studio.play.hosts.client import ModelHost
from studio.play.script import window_note
from studio.play.sessions.session import ChatSession
from studio.play.sessions.store import scenario_text
from studio.play.turns.dice import DiceError
from studio.play.turns.events import (
    DiceAskedEvent,
    NoteEvent,
    PlayEvent,
    RecapEvent,
    RollEvent,
    StateEvent,
    TokenEvent,
    TurnEndEvent,
    WindowEvent,
)
from studio.play.turns.history import edit_line, leaf, redo, story_turns, undo
from studio.play.turns.rolls import PlannedRoll, entered
from studio.play.turns.runtime import enter_rolls, go_on, play_turn, tell_again
from studio.scenarios import Vocabulary
from studio.scenarios.game import game_after
from studio.workspace import atomic_write

HELP = """\
  /again         tell the last turn again, with the same dice; /again 1 goes back to the first telling
  /more          the Dungeon Master goes on where it stopped
  /undo, /redo   take the last turn back; bring it back
  /edit WORDS    say something else in the last turn, as a branch; the other way is kept
  /dice own      throw dice of your own; /dice studio lets the studio throw
  /party         how everybody is (/sheet, too)
  /save FILE     the conversation as a scenario file
  /quit          leave; the session is kept
"""


def chat_loop(
    session: ChatSession,
    host: ModelHost,
    vocabulary: Vocabulary,
    read_line: Callable[[], str],
    write: Callable[[str], None],
    *,
    after_turn: Callable[[ChatSession], None] = lambda session: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """A chat in the terminal: reads lines until `/quit` or the end of the input; `/help` says what else there is.

    Args:
        read_line: gives the player's next line; raises EOFError at the end. Ctrl-C ends a reply.
        write: shows text as it comes, without adding a newline.
        after_turn: called after every change of a session, to save it.
        clock: gives the time, from which a branch has its name.
    """
    chat = _Chat(session, host, vocabulary, read_line, write, after_turn, clock)
    try:
        while chat.hear():
            pass
    except (EOFError, KeyboardInterrupt):
        return


class _Chat:
    """The session at the table, which changes with a branch, and the way to and from the player."""

    def __init__(
        self,
        session: ChatSession,
        host: ModelHost,
        vocabulary: Vocabulary,
        read_line: Callable[[], str],
        write: Callable[[str], None],
        after_turn: Callable[[ChatSession], None],
        clock: Callable[[], datetime],
    ) -> None:
        self.session = session
        self._host, self._vocabulary = host, vocabulary
        self._read_line, self._write = read_line, write
        self._after_turn, self._clock = after_turn, clock
        self._commands: dict[str, Callable[[str], None]] = {
            "/again": self._again,
            "/more": self._more,
            "/undo": self._undo,
            "/redo": self._redo,
            "/edit": self._edit,
            "/dice": self._dice,
            "/party": self._party,
            "/sheet": self._party,
            "/save": self._save,
            "/help": self._help,
        }

    def hear(self) -> bool:
        """Take the player's next line or her dice; False when she leaves."""
        if self.session.pending:
            return self._throw()
        line = self._read_line().strip()
        if line.startswith("/"):
            return self._command(line)
        if line:
            self._play(play_turn(self.session, line, self._host, self._vocabulary))
        return True

    def _command(self, line: str) -> bool:
        name, _, argument = line.partition(" ")
        if name == "/quit":
            return False
        try:
            self._commands.get(name, self._unknown)(argument.strip())
        except StudioError as error:
            self._write(f"{error}\n")
        return True

    def _play(self, events: Generator[PlayEvent, None, None]) -> None:
        try:
            for event in events:
                self._write(terminal_text(event))
        except KeyboardInterrupt:
            events.close()
            self._write("\n(stopped; /more lets it go on)\n")
        except StudioError as error:
            self._write(f"\n{error}\n")
        self._after_turn(self.session)

    def _throw(self) -> bool:
        """Ask for what the player's dice show, roll by roll; a command in between is carried out instead."""
        faces: list[tuple[int, ...] | None] = []
        for planned in (one for request in self.session.pending for one in request.rolls):
            found: tuple[int, ...] | str | None = self._shown(planned) if planned.sides else ()
            if isinstance(found, str):
                return self._command(found)
            faces.append(found)
        self._play(enter_rolls(self.session, faces, self._host, self._vocabulary))
        return True

    def _shown(self, planned: PlannedRoll) -> tuple[int, ...] | str | None:
        """The faces of one roll, None for dice of the studio, or a command."""
        while True:
            self._write(f"  {planned.wanted}. What do your dice show (or /roll)? ")
            line = self._read_line().strip()
            if line.startswith("/"):
                return None if line == "/roll" else line
            try:
                faces = _numbers(line)
                entered(planned, faces)
            except DiceError as error:
                self._write(f"{error}\n")
            else:
                return faces

    def _again(self, argument: str) -> None:
        if not argument:
            self._play(tell_again(self.session, self._host, self._vocabulary))
            return
        leaf(self.session, int(argument) - 1 if argument.isdecimal() else -1)
        self._after_turn(self.session)
        self._show_last_turn()

    def _more(self, _: str) -> None:
        self._play(go_on(self.session, self._host, self._vocabulary))

    def _undo(self, _: str) -> None:
        said = undo(self.session)
        self._after_turn(self.session)
        self._write(f"  Taken back: {said or 'what the Dungeon Master said'}\n")

    def _redo(self, _: str) -> None:
        redo(self.session)
        self._after_turn(self.session)
        self._show_last_turn()

    def _edit(self, argument: str) -> None:
        place = max((place for place, one in enumerate(self.session.messages) if one.role == "user"), default=-1)
        if place < 0:
            raise PlayError("Nothing has been said yet.", next_step="Say what you do.")
        now = self._clock()
        other = edit_line(self.session, place, argument, session_id=f"{now:%Y%m%d-%H%M%S-%f}-terminal", created=now)
        self._after_turn(self.session)
        self._write(f"  (a branch; the other way is kept as {self.session.id})\n")
        self.session = other
        self._play(go_on(other, self._host, self._vocabulary))

    def _dice(self, argument: str) -> None:
        if argument not in ("own", "studio"):
            raise PlayError(f"There are no {argument or 'such'} dice.", next_step="Write /dice own or /dice studio.")
        self.session.settings.dice = "own" if argument == "own" else "studio"
        self._after_turn(self.session)
        self._write("  You throw your own dice.\n" if argument == "own" else "  The studio throws the dice.\n")

    def _party(self, _: str) -> None:
        self._write(party_text(self.session, self._vocabulary))

    def _save(self, argument: str) -> None:
        path = Path(argument).expanduser()
        if not argument or path.exists():
            raise PlayError(
                "The conversation was not saved.",
                why="There is a file of that name already." if argument else "No file is named.",
                next_step="Write /save and a new name, such as /save evening.md.",
            )
        try:
            atomic_write(path, scenario_text(self.session))
        except OSError as error:
            raise PlayError("The file cannot be written.", why=f"{error}.", next_step="Choose another one.") from error
        self._write(f"  Saved as {path}.\n")

    def _help(self, _: str) -> None:
        self._write(HELP)

    def _unknown(self, _: str) -> None:
        raise PlayError("There is no such command.", next_step="Write /help to see them.")

    def _show_last_turn(self) -> None:
        for one in self.session.messages[story_turns(self.session)[-1].start :]:
            self._write(f"  {one.content}\n")


def _numbers(line: str) -> tuple[int, ...]:
    """`15, 3` or `15 3` as numbers. Raises `DiceError`."""
    words = line.replace(",", " ").split()
    if not all(one.isascii() and one.isdecimal() and len(one) <= 4 for one in words):
        raise DiceError("These are no numbers.", next_step="Write what each die shows, such as 15 3, or /roll.")
    return tuple(int(one) for one in words)


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
        case DiceAskedEvent():
            return "\n"
        case StateEvent():
            return "".join(f"\n  >> {line}\n" for line in event.lines if "*done*" not in line)
        case NoteEvent():
            return f"\n  ({event.text})\n"
        case WindowEvent():
            return f"  ({window_note(event)})\n"
        case RecapEvent():
            return f"  (of the hidden turns the model is told: {event.text})\n"
        case TurnEndEvent(reason="waiting_for_dice"):
            return ""
        case TurnEndEvent():
            figures = event.statistics
            speed = f"{figures.tokens_per_second:.0f} tokens/s, first token after {figures.ttft_seconds:.2f} s"
            return f"\n  [{speed}, {figures.n_reused} prompt tokens reused]\n"
    return ""
