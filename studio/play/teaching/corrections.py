"""A bad reply put right: what the Dungeon Master should have said instead, as a scenario that waits for review.

The corrected turn is a list of messages in the exact form of training: the DM's words with the request, the dice thrown
by the sheets, and how it went. Nothing here changes the session; `feedback.note_correction` says that it was corrected.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from studio.errors import PlayError
from studio.play.sessions.exporting import PlayedScenario, origin, played_scenario
from studio.play.sessions.session import ChatMessage, ChatSession
from studio.play.teaching.feedback import player_line, turn_messages, turn_span
from studio.play.turns.dice import DiceBox
from studio.play.turns.rolls import Roll, answer
from studio.scenarios import Directive, Tool, Vocabulary, find_directives, format_directive, read_outcome
from studio.scenarios.review import PENDING, REVIEW
from studio.workspace import Workspace

CorrectionKind = Literal["should have rolled", "should not have rolled", "rewritten"]
SUCCESS, FAILED = "*SUCCESS*", "*FAILED*"
_FIRST_SENTENCES = re.compile(r"(?:[^.!?\n]+[.!?\"”’]*\s*){1,2}")
_SOCIAL = frozenset({"persuasion", "deception", "intimidation", "insight", "performance"})
_FIGHTING = frozenset({"attack", "damage", "initiative"})


@dataclass(frozen=True)
class Thrown:
    """The answer to a request.

    Attributes:
        text: the TOOLCALL turn.
        verdict: `*SUCCESS*` or `*FAILED*` where the dice alone say it.
        needs_verdict: whether the story after it begins with such a word.
        notes: what a person should know about the roll.
    """

    text: str
    verdict: str = ""
    needs_verdict: bool = False
    notes: tuple[str, ...] = ()


def read_request(written: str, vocabulary: Vocabulary) -> Directive:
    """The one request that a person wrote, with or without its brackets: `stealth, dc=12`, `[roll: attack]`.

    Raises:
        PlayError: it is none, or the engine would not understand it; the sentences say why.
    """
    bare = written.strip().strip("[]").strip()
    for text in (f"[{bare}]", f"[roll: {bare}]"):
        found = find_directives(text, vocabulary)
        if len(found) == 1 and found[0].valid and (found[0].start, found[0].end) == (0, len(text)):
            return found[0]
    troubles = [one for found in find_directives(f"[roll: {bare}]", vocabulary) for one in found.problems]
    raise PlayError(
        f"{bare[:60]!r} is no request that the studio understands." if bare else "There is no request yet.",
        why="; ".join(f"{one.problem.value}: {one.subject}".rstrip(": ") for one in troubles),
        next_step="Write it like: stealth, dc=14. The list of requests stands in the editor's help.",
    )


def request_text(tool: Tool, arguments: dict[str, str], vocabulary: Vocabulary) -> str:
    """A request as it should be written, arguments that are empty left away. Raises as `read_request`."""
    given = {name: value.strip() for name, value in arguments.items() if value.strip()}
    return read_request(format_directive(tool, given), vocabulary).canonical


def words_before(session: ChatSession, turn: int, vocabulary: Vocabulary) -> str:
    """What the DM said up to where it should have asked: its first words, without requests and outcomes.

    A suggestion for a person, who changes it as she likes.
    """
    plain = words_without_requests(session, turn, vocabulary)
    found = _FIRST_SENTENCES.match(plain)
    return found[0].strip() if found else plain


def words_without_requests(session: ChatSession, turn: int, vocabulary: Vocabulary) -> str:
    """The first thing that the DM said in a turn, requests and an outcome taken out. Raises as `turn_messages`."""
    first = next((one.content for one in turn_messages(session, turn) if one.role == "assistant"), "")
    for one in reversed(find_directives(first, vocabulary)):
        first = first[: one.start] + first[one.end :]
    told = read_outcome(first.strip())
    return re.sub(r"\n{3,}", "\n\n", first.strip()[told.end() if told else 0 :]).strip()


def throw(session: ChatSession, turn: int, request: Directive, attempt: int = 0) -> Thrown:
    """The studio's dice for a request, by the sheets; the same for the same turn, request and attempt.

    Raises:
        PlayError: it asks for no dice, or for dice that cannot be thrown.
    """
    box = DiceBox(session.dice_generator(-1 - turn - len(session.turns) * attempt))  # none of the session's own
    found = answer(
        request,
        session.system,
        box,
        speaking_as=session.settings.speaking_as,
        player_text=player_line(session, turn),
    )
    needs = request.tool is not None and request.tool.has_outcome
    return Thrown(found.text, _verdict(request, found.rolls[0]), needs, tuple(found.notes))


def asked(words: str, request: Directive) -> ChatMessage:
    """The DM's words with the request behind them, as training has it."""
    return ChatMessage(role="assistant", content=f"{words.strip()}\n\n{request.canonical}".strip())


def corrected_roll(
    words: str, request: Directive, thrown: Thrown | None = None, told: str = "", verdict: str = ""
) -> list[ChatMessage]:
    """A turn that asks: words and request, the dice, and how it went. Without a story it ends with the request.

    Args:
        verdict: the word to begin the story with where the dice alone do not say it.
    """
    messages = [asked(words, request)]
    if thrown is not None and told.strip():
        messages.append(ChatMessage(role="tool", content=thrown.text))
        messages.append(ChatMessage(role="assistant", content=with_verdict(told, thrown, verdict)))
    return messages


def with_verdict(told: str, thrown: Thrown, verdict: str = "") -> str:
    """The story with the word that it must begin with; one that begins with an outcome already stays as it is."""
    word = (thrown.verdict or verdict) if thrown.needs_verdict else ""
    return told.strip() if not word or read_outcome(told.strip()) else f"{word} {told.strip()}"


def rewritten(session: ChatSession, turn: int, texts: Sequence[str]) -> list[ChatMessage]:
    """A turn with the DM's words changed by hand, one text for each of its parts; the dice stay as they fell.

    Parts that became empty are left out. Raises as `turn_messages`.
    """
    left = iter(texts)
    messages = [
        one.model_copy(update={"content": next(left, one.content).strip()}) if one.role == "assistant" else one
        for one in turn_messages(session, turn)
    ]
    return [one for one in messages if one.content]


def correction(
    workspace: Workspace,
    session: ChatSession,
    turn: int,
    instead: Sequence[ChatMessage],
    vocabulary: Vocabulary,
    *,
    kind: CorrectionKind,
    title: str = "",
    scenario_type: str = "mixed",
    keep: int | None = None,
) -> PlayedScenario:
    """The scene up to the player's line of a turn, and what the DM should have done then.

    Args:
        instead: the messages that follow the player's line.
        keep: how many turns before it are kept; None for all of the conversation.

    Raises:
        PlayError: the session has no such turn.
    """
    start, _ = turn_span(session, turn)
    head = session.messages[: session.system_messages]
    earlier = session.messages[_first_kept(session, turn, keep) : start + bool(player_line(session, turn))]
    front = {
        "title": title.strip() or default_title(session, turn, kind),
        "scenario_type": scenario_type,
        "tags": ["correction"],
        REVIEW: PENDING,
        "correction": {"kind": kind, "turn": turn + 1, **origin(session)},
    }
    return played_scenario(workspace, [*head, *earlier, *instead], vocabulary, front)


def default_title(session: ChatSession, turn: int, kind: CorrectionKind) -> str:
    """What a correction is called until somebody has a better idea."""
    return f"{session.title or session.id}, turn {turn + 1} {kind}"


def likely_type(tool: Tool | None, in_combat: bool) -> str:
    """The scenario type that a corrected turn most likely belongs to."""
    if in_combat or (tool is not None and tool.name in _FIGHTING):
        return "combat"
    if tool is not None and tool.name in _SOCIAL:
        return "roleplay"
    return "exploration" if tool is not None and tool.kind == "skill" else "mixed"


def _first_kept(session: ChatSession, turn: int, keep: int | None) -> int:
    if keep is None:
        return session.system_messages
    return session.turns[max(0, turn - keep)].first_message


def _verdict(request: Directive, roll: Roll) -> str:
    """What the dice alone say: against a difficulty, or because an attack hits with a 20 and misses with a 1."""
    if request.tool is None or not request.tool.has_outcome:
        return ""
    if request.tool.kind == "attack" and roll.dice[0] in (1, 20):
        return SUCCESS if roll.dice[0] == 20 else FAILED
    difficulty = request.arguments.get("dc", "")
    if not difficulty.isdecimal():
        return ""
    return SUCCESS if roll.total >= int(difficulty) else FAILED
