"""Judges the Dungeon Master's part of one turn by the expectations of a spot check, with its words as evidence.

Each verdict is about what can be seen: a request that was written, words that were said, numbers of the party. Whether
a story is good, no spot check says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from studio.metrics import player_speech, words
from studio.play.sessions.session import ChatSession
from studio.play.spot_checks.suite import Expectations, StateWanted
from studio.play.teaching.corrections import read_request
from studio.play.teaching.feedback import turn_messages
from studio.scenarios import Directive, Vocabulary, find_directives, fold
from studio.scenarios.game import Game, game_after

_EVIDENCE = 160
"""Characters of a reply that are shown where a verdict is about all of it."""
_AROUND = 40


class Verdict(BaseModel):
    """One expectation: in words, whether it was met, and what in the turn shows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    passed: bool
    evidence: str = ""


@dataclass(frozen=True)
class PlayedTurn:
    """What is looked at: the DM's words, the requests in them, and the game after the turn."""

    said: str
    requests: tuple[Directive, ...]
    players: tuple[str, ...]
    game: Game

    @classmethod
    def of(cls, session: ChatSession, turn: int, vocabulary: Vocabulary) -> PlayedTurn:
        """A turn of a session. Raises `PlayError` when there is none."""
        parts = [one.content for one in turn_messages(session, turn) if one.role == "assistant"]
        speaking_as = session.settings.speaking_as
        return cls(
            "\n\n".join(parts),
            tuple(one for part in parts for one in find_directives(part, vocabulary)),
            tuple(one.name for one in session.system.party if one.is_player),
            game_after(session.system, session.messages, vocabulary, speaking_as=speaking_as),
        )


def judge(expect: Expectations, turn: PlayedTurn, vocabulary: Vocabulary) -> list[Verdict]:
    """A verdict on everything that is expected, in the order of the expectations."""
    return [*_requests(expect, turn, vocabulary), *_words(expect, turn), *_conduct(expect, turn), *_state(expect, turn)]


def _requests(expect: Expectations, turn: PlayedTurn, vocabulary: Vocabulary) -> Iterator[Verdict]:
    if expect.asks_for:
        found = _asked(turn.requests, [expect.asks_for], vocabulary)
        yield Verdict(check=f"asks for {expect.asks_for}", passed=bool(found), evidence=found or _asks(turn))
    if expect.asks_for_one_of:
        found = _asked(turn.requests, expect.asks_for_one_of, vocabulary)
        choice = " or ".join(expect.asks_for_one_of)
        yield Verdict(check=f"asks for {choice}", passed=bool(found), evidence=found or _asks(turn))
    if expect.asks_for_nothing:
        asked = [one.written for one in turn.requests if one.valid]
        yield Verdict(check="asks for nothing", passed=not asked, evidence=_asks(turn))


def _words(expect: Expectations, turn: PlayedTurn) -> Iterator[Verdict]:
    for wanted in expect.says:
        found = _around(turn.said, wanted)
        yield Verdict(check=f"says “{wanted}”", passed=bool(found), evidence=found or _begin(turn.said))
    for unwanted in expect.does_not_say:
        found = _around(turn.said, unwanted)
        yield Verdict(check=f"does not say “{unwanted}”", passed=not found, evidence=found)
    if expect.shorter_than is not None:
        spoken = len(words(_without(turn)))
        yield Verdict(
            check=f"shorter than {expect.shorter_than} words",
            passed=spoken < expect.shorter_than,
            evidence=f"{spoken} words",
        )


def _conduct(expect: Expectations, turn: PlayedTurn) -> Iterator[Verdict]:
    if expect.valid_requests_only:
        wrong = ", ".join(one.written for one in turn.requests if not one.valid)
        yield Verdict(check="only valid requests", passed=not wrong, evidence=wrong or _asks(turn))
    if expect.does_not_speak_for_players:
        spoken = "; ".join(player_speech(turn.said, turn.players))
        yield Verdict(check="does not speak for the players", passed=not spoken, evidence=_begin(spoken))


def _state(expect: Expectations, turn: PlayedTurn) -> Iterator[Verdict]:
    if expect.in_combat is not None:
        now = turn.game.in_combat
        check = "combat has begun" if expect.in_combat else "there is no combat"
        yield Verdict(check=check, passed=now == expect.in_combat, evidence="in combat" if now else "no combat")
    for wanted in expect.state:
        yield from _standing(wanted, turn.game)


def _standing(wanted: StateWanted, game: Game) -> Iterator[Verdict]:
    one = game.member(wanted.who)
    if one is None:
        yield Verdict(check=f"{wanted.who} is of the party", passed=False, evidence="there is no such sheet")
        return
    if wanted.hit_points is not None:
        check = f"{one.name} has {wanted.hit_points} hit points"
        met = one.hit_points == wanted.hit_points
        yield Verdict(check=check, passed=met, evidence=f"{one.hit_points} hit points")
    if wanted.condition:
        met = fold(wanted.condition) in [fold(condition) for condition in one.conditions]
        check = f"{one.name} is {wanted.condition}"
        yield Verdict(check=check, passed=met, evidence=", ".join(one.conditions) or "no condition")
    if wanted.item:
        carried = [item.shown for item in one.items]
        met = any(fold(wanted.item) in fold(item.name) for item in one.items)
        yield Verdict(check=f"{one.name} carries {wanted.item}", passed=met, evidence=", ".join(carried) or "nothing")


def _asked(requests: Sequence[Directive], wanted: Sequence[str], vocabulary: Vocabulary) -> str:
    """The first valid request that is one of those wanted, as it was written; empty when there is none."""
    looked_for = [read_request(one, vocabulary) for one in wanted]
    fits = (one.written for one in requests if one.valid and any(_is_it(one, other) for other in looked_for))
    return next(fits, "")


def _is_it(request: Directive, wanted: Directive) -> bool:
    """The same tool, and every argument that is wanted; a name or a target may be part of a longer one."""
    given = {name: value.casefold() for name, value in request.arguments.items()}
    named = {name: value.casefold() for name, value in wanted.arguments.items()}
    if wanted.tool is None or request.tool_name != wanted.tool_name:
        return False
    free = {"who", "target", "weapon", "item", "condition"}
    return all(
        value in given.get(name, "") if name in free else value == given.get(name) for name, value in named.items()
    )


def _asks(turn: PlayedTurn) -> str:
    """What the turn asks for, else how it begins."""
    return ", ".join(one.written for one in turn.requests) or _begin(turn.said) or "said nothing"


def _begin(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EVIDENCE else f"{flat[:_EVIDENCE].rstrip()}…"


def _around(text: str, wanted: str) -> str:
    """The words with a little of what stands around them; empty where they are not."""
    flat = " ".join(text.split())
    found = re.search(re.escape(" ".join(wanted.split())), flat, re.IGNORECASE) if wanted.strip() else None
    if found is None:
        return ""
    start, end = max(0, found.start() - _AROUND), min(len(flat), found.end() + _AROUND)
    return f"{'…' if start else ''}{flat[start:end]}{'…' if end < len(flat) else ''}"


def _without(turn: PlayedTurn) -> str:
    """What was said, requests left out."""
    said = turn.said
    for one in turn.requests:
        said = said.replace(one.written, " ")
    return said
