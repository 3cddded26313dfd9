"""When the studio goes on with another model, and with which. Pure: rules and records in, a decision out.

Only between turns: a reply in the making is never taken from its model. After a switch nothing is switched for a while
(`rest`), so that two models that both do badly do not take turns for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from studio.machine import GIB
from studio.play.watching.monitor import Record, Switched, TurnLost, TurnPlayed, of_model
from studio.play.watching.rules import (
    CrashRule,
    Fallback,
    MalformedRule,
    MemoryRule,
    Rule,
    SlowRule,
    SwitchRules,
    WaitRule,
)

OWN_FAULTS = frozenset({"crashes", "malformed"})
"""Causes that lie in the model, not in how busy the computer is: the studio never goes back by itself after those."""
_Turns = Sequence[TurnPlayed | TurnLost]


@dataclass(frozen=True)
class Candidate:
    """A model that can be played.

    Attributes:
        id: as the pages call it, unique.
        group: what it was made from, such as its run; only files of one group replace each other by size.
        size: bytes of its file.
    """

    id: str
    title: str
    group: str
    size: int


@dataclass(frozen=True)
class Switch:
    """From which model to which, and why: a sentence of a clause, such as `it stopped working twice`."""

    source: Candidate
    target: Candidate
    cause: str
    why: str

    def record(self, time: float, session: str, *, by_hand: bool = False) -> Switched:
        """As it is written to the log."""
        return Switched(
            time=time,
            session=session,
            source=self.source.id,
            source_title=self.source.title,
            target=self.target.id,
            target_title=self.target.title,
            cause=self.cause,
            why=self.why,
            by_hand=by_hand,
        )


def decide(
    records: Sequence[Record],
    rules: SwitchRules,
    *,
    session: str,
    model: str,
    played: Candidate,
    candidates: Sequence[Candidate],
    now: float,
) -> Switch | None:
    """What to go on with after a turn of this session; None: with the same.

    Args:
        records: the log, oldest first, this turn included.
        model: SHA-256 of what is played.
        played: the same as a candidate.
        candidates: everything that can be played.
        now: Unix time in seconds.
    """
    recent = [one for one in records if one.time >= now - 60 * rules.minutes]
    last = last_switch(records, session)
    since = [one for one in recent if last is None or one.time > last.time]
    own = of_model(since, model)
    if not rules.enabled or (last is not None and _turns_of(since, session) < rules.rest):
        return None
    for rule in rules.rules:
        target = fallback_for(played, candidates, rules.fallbacks)
        if target is not None and (why := broken(rule, own)):
            return Switch(played, target, rule.kind, why)
    return _way_back(last, own, rules, played, candidates)


def last_switch(records: Sequence[Record], session: str) -> Switched | None:
    """The newest switch of a session, also one by hand."""
    return next((one for one in reversed(records) if isinstance(one, Switched) and one.session == session), None)


def fallback_for(played: Candidate, candidates: Sequence[Candidate], fallbacks: Sequence[Fallback]) -> Candidate | None:
    """The model to go on with in place of one; None where none is named, or the named one is not there."""
    chosen = next((one.to for one in fallbacks if _names(played, one.of)), "none")
    others = [one for one in candidates if one.id != played.id]
    if chosen == "none":
        return None
    if chosen == "smaller":
        smaller = [one for one in others if one.group == played.group and 0 < one.size < played.size]
        return max(smaller, key=lambda one: one.size, default=None)
    return next((one for one in others if _names(one, chosen)), None)


def broken(rule: Rule, turns: _Turns) -> str:
    """Why a rule is broken by a model's turns, oldest first; empty when it is not."""
    last = turns[-rule.turns :]
    played = [one for one in last if isinstance(one, TurnPlayed)]
    whole = len(last) == len(played) == rule.turns
    match rule:
        case CrashRule():
            crashes = len(last) - len(played)
            return f"it stopped working {_times(crashes)}" if crashes >= rule.at_least else ""
        case MalformedRule():
            return _malformed(rule, played)
        case SlowRule():
            slow = whole and all(0 < one.tokens_per_second < rule.below for one in played)
            return f"it wrote fewer than {rule.below:g} tokens a second in {_each(rule.turns)}" if slow else ""
        case WaitRule():
            waits = whole and all(one.ttft_seconds > rule.above for one in played)
            return f"its first word took more than {rule.above:g} seconds in {_each(rule.turns)}" if waits else ""
        case MemoryRule():
            large = whole and all(one.memory_bytes > rule.above * GIB for one in played)
            return f"it held more than {rule.above:g} GiB of memory in {_each(rule.turns)}" if large else ""


def _malformed(rule: MalformedRule, played: Sequence[TurnPlayed]) -> str:
    asked, wrong = sum(one.requests for one in played), sum(one.malformed for one in played)
    if asked < rule.requests or wrong <= rule.above * asked:
        return ""
    return f"{wrong} of its last {asked} requests could not be understood"


def _way_back(
    last: Switched | None, own: _Turns, rules: SwitchRules, played: Candidate, candidates: Sequence[Candidate]
) -> Switch | None:
    """Back to the first model when the other one did well for long enough, and the first was not itself to blame."""
    if last is None or not rules.return_after or last.target != played.id or last.cause in OWN_FAULTS | {""}:
        return None
    source = next((one for one in candidates if one.id == last.source), None)
    good = len(own) >= rules.return_after and not any(isinstance(one, TurnLost) for one in own)
    if source is None or not good:
        return None
    return Switch(played, source, "", f"{played.title} did well for {len(own)} turns")


def _turns_of(records: Sequence[Record], session: str) -> int:
    return sum(isinstance(one, TurnPlayed | TurnLost) and one.session == session for one in records)


def _names(one: Candidate, pattern: str) -> bool:
    """Whether a pattern stands for a model: by its id, its title, or the end of its id without folders or suffix."""
    file = one.id.rsplit("/", 1)[-1]
    names = (one.id, one.title, one.group, file, file.removesuffix(".gguf"))
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for name in names)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _each(turns: int) -> str:
    return "its last turn" if turns == 1 else f"each of its last {turns} turns"
