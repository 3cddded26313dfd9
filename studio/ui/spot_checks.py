"""Spot checks as the page shows them: sentences, the table of results, and a suite as the rows of a form and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from studio.errors import PlayError
from studio.play.spot_checks.results import CheckRow, ComparedCheck, SuiteResult
from studio.play.spot_checks.suite import CheckedLine, Expectations, SpotSuite, StateWanted
from studio.ui.wording import count, moment, short_hash

KINDS: dict[str, tuple[str, str]] = {
    "asks_for": ("Asks for", "A request such as: stealth, or: attack, target=goblin"),
    "asks_for_one_of": ("Asks for one of", "Requests with a semicolon between: initiative; begin combat"),
    "asks_for_nothing": ("Asks for nothing", "No text needed"),
    "says": ("Says", "Words that must be there; several with a semicolon between"),
    "does_not_say": ("Does not say", "Words that must not be there"),
    "shorter_than": ("Shorter than", "A number of words"),
    "valid_requests_only": ("Only valid requests", "No text needed"),
    "does_not_speak_for_players": ("Does not speak for the players", "No text needed"),
    "in_combat": ("Combat", "yes or no"),
    "hit_points": ("Hit points", "Name and number: Sarah 15"),
    "condition": ("Condition", "Name and condition: Sarah prone"),
    "item": ("Carries", "Name and item: Sarah rope"),
}
"""Sort of expectation in the form -> its name, and what its text is."""
_FLAGS = ("asks_for_nothing", "valid_requests_only", "does_not_speak_for_players")
_LISTS = ("asks_for_one_of", "says", "does_not_say")
_STATES = ("hit_points", "condition", "item")


@dataclass(frozen=True)
class ExpectationRow:
    """One expectation as the form has it."""

    kind: str
    text: str = ""


def result_sentence(result: SuiteResult, now: float) -> str:
    """`tavern.Q8_0.gguf (ab12cd34): 5 of 6 passed, 3 min ago`."""
    rows = result.rows
    passed = sum(one.passed for one in rows)
    hashed = short_hash(result.model.adapter_sha256 or result.model.sha256, 8)
    when = moment(result.at.timestamp(), now)
    return f"{result.model_name} ({hashed}): {passed} of {len(rows)} passed, {when}"


def suite_sentence(suite: SpotSuite) -> str:
    """What a suite is: how many lines and expectations, and how often it is played."""
    checks = sum(_checks(one.expect) for one in suite.lines)
    often = f" · played {count(suite.repeat, 'time')}, {suite.needed} must pass" if suite.repeat > 1 else ""
    scene = suite.scenario or "a scene of its own"
    return f"{count(len(suite.lines), 'line')} · {count(checks, 'expectation')} · {scene}{often}"


def comparison_html(compared: Sequence[ComparedCheck], results: Sequence[SuiteResult], now: float) -> str:
    """A table: expectations against results, a mark in each cell with the evidence behind it."""
    heads = "".join(
        f"<th>{escape(one.model_name)}<br><small>{escape(short_hash(one.model.adapter_sha256 or one.model.sha256, 8))}"
        f" · {escape(moment(one.at.timestamp(), now))}</small></th>"
        for one in results
    )
    lines, said = [], ""
    for one in compared:
        if one.player != said:
            said = one.player
            lines.append(f'<tr class="line"><th colspan="{len(results) + 1}">{escape(said)}</th></tr>')
        cells = "".join(map(_cell, one.results))
        lines.append(f"<tr><td>{escape(one.check)}</td>{cells}</tr>")
    head, body = f"<thead><tr><th></th>{heads}</tr></thead>", f"<tbody>{''.join(lines)}</tbody>"
    return f'<div class="checks"><table>{head}{body}</table></div>'


def _checks(expect: Expectations) -> int:
    """How many verdicts there will be: one for each word or phrase that is listened for."""
    return len(rows_of(expect)) + sum(max(0, len(words) - 1) for words in (expect.says, expect.does_not_say))


def rows_of(expect: Expectations) -> list[ExpectationRow]:
    """What is expected of a line as rows of the form."""
    rows = [ExpectationRow("asks_for", expect.asks_for)] if expect.asks_for else []
    rows += [ExpectationRow(name, "; ".join(getattr(expect, name))) for name in _LISTS if getattr(expect, name)]
    rows += [ExpectationRow(name) for name in _FLAGS if getattr(expect, name)]
    if expect.shorter_than is not None:
        rows.append(ExpectationRow("shorter_than", str(expect.shorter_than)))
    if expect.in_combat is not None:
        rows.append(ExpectationRow("in_combat", "yes" if expect.in_combat else "no"))
    for one in expect.state:
        wanted = {"hit_points": one.hit_points, "condition": one.condition, "item": one.item}
        rows += [
            ExpectationRow(name, f"{one.who} {value}") for name, value in wanted.items() if value not in (None, "")
        ]
    return rows


def expectations_of(rows: Sequence[ExpectationRow], names: Sequence[str] = ()) -> Expectations:
    """The expectations that rows of the form stand for.

    Args:
        names: the party, whose names may have spaces.

    Raises:
        PlayError: a text is missing or does not fit its kind.
    """
    found: dict[str, Any] = {}
    state: list[StateWanted] = []
    for row in rows:
        text = row.text.strip()
        if row.kind in _FLAGS:
            found[row.kind] = True
        elif not text:
            raise _unfit(row, "Its text is missing.")
        elif row.kind in _LISTS:
            found[row.kind] = [*found.get(row.kind, []), *(one.strip() for one in text.split(";") if one.strip())]
        elif row.kind in _STATES:
            state.append(_standing(row, names))
        else:
            found[row.kind] = _value(row)
    return Expectations.model_validate({**found, "state": state})


def suite_of(head: Mapping[str, Any], lines: Sequence[CheckedLine], former: SpotSuite | None) -> SpotSuite:
    """The suite that a form stands for; what the form does not show stays as it was.

    Raises:
        PlayError: it cannot be played so.
    """
    kept = former.model_dump(exclude={"lines", *head}) if former else {}
    try:
        return SpotSuite.model_validate({**kept, **head, "lines": [one.model_dump() for one in lines]})
    except ValueError as error:
        why = str(error).splitlines()
        raise PlayError(
            "This spot check cannot be kept.",
            why=next((one.strip() for one in why if "Value error" in one or "should" in one), why[0]),
            next_step="Give it a title, a scene and at least one line.",
        ) from error


def _standing(row: ExpectationRow, names: Sequence[str]) -> StateWanted:
    text = row.text.strip()
    known = sorted((one for one in names if text.casefold().startswith(f"{one.casefold()} ")), key=len)
    who = text[: len(known[-1])] if known else text.partition(" ")[0]
    value = text[len(who) :].strip()
    if not value or (row.kind == "hit_points" and not value.isdecimal()):
        raise _unfit(row, f"Write it like: {KINDS[row.kind][1].rpartition(': ')[2]}.")
    return StateWanted.model_validate({"who": who, row.kind: int(value) if row.kind == "hit_points" else value})


def _value(row: ExpectationRow) -> str | int | bool:
    text = row.text.strip()
    if row.kind == "shorter_than":
        if not text.isdecimal() or not int(text):
            raise _unfit(row, "It is a number of words, such as 120.")
        return int(text)
    if row.kind == "in_combat":
        if text.lower() not in ("yes", "no"):
            raise _unfit(row, "Write yes or no.")
        return text.lower() == "yes"
    return text


def _unfit(row: ExpectationRow, why: str) -> PlayError:
    title = KINDS[row.kind][0] if row.kind in KINDS else row.kind
    return PlayError(f"“{title}” cannot be checked so.", why=why, next_step="Correct its text, or remove the row.")


def _cell(row: CheckRow | None) -> str:
    if row is None:
        return '<td class="none">–</td>'
    look, word = ("good", "passed") if row.passed else ("bad", "failed")
    counted = f" {row.met}/{row.attempts}" if row.attempts > 1 else ""
    evidence = f"<small>{escape(row.evidence)}</small>" if row.evidence else ""
    reply = f"<details><summary>reply</summary>{escape(row.reply)}</details>" if row.reply else ""
    return f'<td><span class="verdict {look}">{word}{counted}</span>{evidence}{reply}</td>'
