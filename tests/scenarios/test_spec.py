"""docs/scenarios.md is true: its examples parse as it says, and what its grammar can write is read without a slip."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from studio.scenarios import (
    MarkdownParser,
    find_directives,
    load_vocabulary,
    parse_result_line,
    parse_tree,
    to_messages,
)
from studio.scenarios.checks.rule import example_file
from studio.scenarios.entities import listed_entities
from studio.scenarios.otherwise import find_otherwise
from studio.scenarios.reading import read_yaml
from studio.scenarios.sheet import field_of
from studio.scenarios.slots import has
from studio.workspace import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
VOCABULARY = load_vocabulary()
PARSER = MarkdownParser()
(GRAMMAR,) = re.findall(r"^```ebnf\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TURNS, REQUESTS, ANSWERS = (block.splitlines() for block in BLOCKS if "T0" in block)
ROW = re.compile(r"(?P<written>.+?) {2,}(?P<code>[ST]\d{3}|---) {2,}(?P<read>.+)")
ABOUT_MEANING = {
    *("T001", "T002", "T005", "T006", "T007", "T008", "T009", "T010"),  # what the text below the grammar rules out
    *("T013", "T015", "T020", "T021", "T022", "T023", "T025", "T029"),
    *("S020", "S021", "S024", "S025", "S032", "S033", "S034"),
}
"""Codes that a sentence of the grammar may have: they are about numbers and who answers whom, not about reading."""


def rows(lines: list[str]) -> list[tuple[str, str, str]]:
    found = [ROW.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [(match["written"], match["code"], match["read"]) for match in found if match]


def codes(text: str) -> set[str]:
    return {one.code for one in PARSER.validate_format(text).diagnostics}


# -- the examples


def test_the_shortest_scenario_is_short_and_complete() -> None:
    (text,) = re.findall(r"^```markdown\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    scenario = PARSER.parse_text(text)
    assert len(text.splitlines()) <= 22
    assert scenario.diagnostics == []
    assert [one.name for one in scenario.system_context.party] == ["Sarah"]
    assert [turn.speaker for turn in scenario.conversation] == ["User", "DM", "TOOLCALL", "DM"]
    (call,) = scenario.conversation[1].tool_calls
    assert (call.tool_name, call.arguments, call.result) == ("stealth", {"dc": "15"}, "stealth: 9 + 7(skill) = *16*")


def test_the_examples_of_choices_are_read_as_the_page_says() -> None:
    slots, alternative = re.findall(r"^~~~markdown\n(.*?)^~~~$", PAGE, re.MULTILINE | re.DOTALL)
    first = to_messages(PARSER.parse_text(slots))
    assert [one.content for one in first] == [
        "I creep down the stair.",
        "The third step is loose. A dog barks. What do you do?",
    ]
    rolled = (
        "<User>I go.</User>\n\n<DM>Hush. [roll: stealth]</DM>\n\n<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n"
    )
    text = example_file("turns", rolled + alternative)
    assert [one.success for one in find_otherwise(parse_tree(text))] == [False]
    assert not codes(text) & {f"S0{number}" for number in range(27, 37)}
    (listed,) = re.findall(r"^entities: .*$", PAGE, re.MULTILINE)
    names, refused = listed_entities(read_yaml(listed).values)
    assert ([one.kind for one in names], refused) == (["name", "place", "item"], [])


@pytest.mark.parametrize(("written", "code", "read"), rows(TURNS))
def test_malformed_turns_are_read_as_the_page_says(written: str, code: str, read: str) -> None:
    text = example_file("turns", written)
    turns = PARSER.parse_text(text).conversation
    assert " | ".join(f"{one.speaker}: {one.content}".strip() for one in turns) == read
    found = codes(text) & {one for _, one, _ in rows(TURNS)}
    assert found - {"S024"} == ({code} if code != "---" else set())


@pytest.mark.parametrize(("written", "code", "read"), rows(REQUESTS))
def test_malformed_requests_are_read_as_the_page_says(written: str, code: str, read: str) -> None:
    directives = find_directives(written, VOCABULARY)
    found = codes(example_file("turns", f"<User>Go.</User>\n\n<DM>Well then.\n\n{written}</DM>"))
    if code == "---":
        assert directives == []
        assert not {one for one in found if one[0] == "T"}
    else:
        (directive,) = directives
        assert (directive.canonical, directive.valid) == (read, code == "T017")
        assert {one for one in found if one[0] == "T"} == {code}


@pytest.mark.parametrize(("written", "code", "read"), rows(ANSWERS))
def test_malformed_answers_are_read_as_the_page_says(written: str, code: str, read: str) -> None:
    line = parse_result_line(written, VOCABULARY)
    assert (line.canonical or "no line") == read
    advantage = ", advantage" if "adv" in written else ""
    request = "[hit points: -6]" if "hp" in written else f"[roll: stealth{advantage}]"
    turns = f"<User>Go.</User>\n\n<DM>Well then.\n\n{request}</DM>\n\n<TOOLCALL>{written}</TOOLCALL>"
    assert {one for one in codes(example_file("turns", turns)) if one[0] == "T"} - {"T006"} == {code}


def test_answers_to_changes_are_written_as_the_page_shows() -> None:
    shown = [line for block in BLOCKS if "*done*" in block for line in block.splitlines()]
    assert len(shown) == 3
    for line in shown:
        read = parse_result_line(line, VOCABULARY)
        assert (read.problems, read.canonical, read.actor) == ((), line, "Sarah")


# -- the grammar


@dataclass
class Rules:
    """The rules of an ISO EBNF grammar as nested tuples: ("or", ...), ("and", ...), ("many", x), ("maybe", x)."""

    text: str
    rules: dict[str, tuple] = field(default_factory=dict)

    def __post_init__(self) -> None:
        token = r'"[^"]*"' + r"|'[^']*'|\?[^?]*\?|\w+|[=|,;()\[\]{}]"
        self._tokens = iter([*re.findall(token, self.text), ""])
        self._next = next(self._tokens)
        while self._next:
            name = self._take()
            assert self._take() == "=", name
            assert name not in self.rules, name
            self.rules[name] = self._choice()
            assert self._take() == ";", name

    def _take(self) -> str:
        taken, self._next = self._next, next(self._tokens, "")
        return taken

    def _choice(self) -> tuple:
        options = [self._sequence()]
        while self._next == "|":
            self._take()
            options.append(self._sequence())
        return ("or", *options)

    def _sequence(self) -> tuple:
        parts = [self._part()]
        while self._next == ",":
            self._take()
            parts.append(self._part())
        return ("and", *parts)

    def _part(self) -> tuple:
        taken = self._take()
        if taken in ("(", "[", "{"):
            inner = self._choice()
            assert self._take() == {"(": ")", "[": "]", "{": "}"}[taken]
            return {"(": inner, "[": ("maybe", inner), "{": ("many", inner)}[taken]
        if taken[0] in "\"'":
            return ("text", taken[1:-1])
        return ("special", taken.strip("? ")) if taken[0] == "?" else ("rule", taken)

    def literals(self, name: str) -> list[str]:
        """The literal texts of one rule, in order."""

        def walk(node: tuple) -> Iterator[str]:
            if node[0] == "text":
                yield node[1]
            for part in node[1:]:
                if isinstance(part, tuple):
                    yield from walk(part)

        return list(walk(self.rules[name]))

    def names(self) -> set[str]:
        """Every rule that some rule uses."""

        def walk(node: tuple) -> Iterator[str]:
            if node[0] == "rule":
                yield node[1]
            for part in node[1:]:
                if isinstance(part, tuple):
                    yield from walk(part)

        return {name for rule in self.rules.values() for name in walk(rule)}


RULES = Rules(GRAMMAR)
WORDS = (
    "Rope",
    "Jörg's lamp",
    "愛子",
    "Health Potion x2",
    "Tom O'Shea",
    "the old mill",
    "Orc",
    "Zwölf Äpfel",
    "7 arrows",
)
ROLLS = [tool for tool in VOCABULARY.tools if tool.rolls]
SPECIAL: dict[str, Callable[[random.Random], str]] = {
    "number": lambda dice: str(dice.choice((1, 2, 7, 12, 15, 20, 44, 900, 2700))),
    "eol": lambda _: "\n",
    "yaml_line": lambda dice: dice.choice(
        ("title: The Mill", "tags: [a, b]", "mine: {x: 1}", "entities: {places: [the old mill]}", "# a note")
    ),
    "prose": lambda dice: dice.choice(
        (
            "The mill stands still.",
            "Mist, *everywhere*, and 3 crows.",
            "He waits 🎲",
            "A [sic] note: 1 < 2.",
            '"No," he says.',
        )
    ),
    "words": lambda dice: dice.choice(WORDS),
    "name": lambda dice: dice.choice(WORDS),
    "skill": lambda dice: dice.choice([tool.spoken.title() for tool in ROLLS if tool.kind == "skill"]),
    "roll_name": lambda dice: dice.choice([tool.name for tool in ROLLS]),
    "check_name": lambda dice: dice.choice([tool.name for tool in ROLLS if tool.dice]),
    "label": lambda dice: dice.choice(("skill", "save", "dexterity", "attack", "bonus", "guidance")),
}


def sentence(name: str, dice: random.Random) -> str:
    """A random text that the rule can write."""

    def write(node: tuple) -> str:
        kind, *parts = node
        if kind == "text":
            return parts[0]
        if kind == "rule":
            return SPECIAL[parts[0]](dice) if parts[0] in SPECIAL else write(RULES.rules[parts[0]])
        if kind == "or":
            return write(dice.choice(parts))
        if kind == "maybe":
            return write(parts[0]) if dice.random() < 0.5 else ""
        if kind == "many":
            return "".join(write(parts[0]) for _ in range(dice.choice((0, 0, 1, 1, 2, 4))))
        return "".join(write(part) for part in parts)

    return write(RULES.rules[name])


def test_every_rule_is_used_and_every_used_rule_exists() -> None:
    assert RULES.names() - set(RULES.rules) == set()
    assert set(RULES.rules) - RULES.names() == {"file"}
    described = {name for name, rule in RULES.rules.items() if rule[1][1][0] == "special"}
    assert described == set(SPECIAL)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_grammar_writes_is_read_without_a_slip(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(10):
        text = sentence("file", dice)
        wrong = [
            (one.code, one.message, text[one.span.start : one.span.end])
            for one in PARSER.validate_format(text).diagnostics
            if one.code[0] in "ST" and one.code not in ABOUT_MEANING and one.severity != "info"
        ]
        assert wrong == []
        tree = parse_tree(text)
        assert "".join(text[node.start : node.end] for node in tree.nodes) == text
        written = len(re.findall(r"^<(?:User|DM|TOOLCALL)>", text, re.MULTILINE))
        scenario = PARSER.parse_text(text)
        assert len(scenario.conversation) == written
        assert [one.slip for one in find_otherwise(tree)] == [None] * text.count("<!-- otherwise:")
        assert not any(has(one.content) for one in to_messages(scenario, seed))


@pytest.mark.parametrize("seed", range(20))
def test_requests_and_answers_of_the_grammar_are_canonical(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(50):
        request = sentence("request", dice)
        (directive,) = find_directives(request, VOCABULARY)
        assert directive.tool is not None, request
        assert {one.problem.name for one in directive.problems} <= {
            "UNKNOWN_ARGUMENT",
            "REPEATED_ARGUMENT",
            "EXCLUDED_ARGUMENT",
        }
        assert directive.problems or directive.canonical == request
        answer = sentence("result", dice)
        line = parse_result_line(answer, VOCABULARY)
        assert {one.name for one in line.problems} <= {"WRONG_SUM", "WRONG_PICK"}, answer
        assert line.canonical == answer


def test_the_grammar_names_what_the_vocabulary_has() -> None:
    plain = {tool.spoken: tool for tool in VOCABULARY.tools if not tool.rolls}
    asked = {one.rstrip(": ") for one in RULES.literals("change") if one.endswith(": ")} | set(RULES.literals("marker"))
    assert asked == set(plain)
    values = {name for tool in VOCABULARY.tools for name in tool.value}
    named = {one.rstrip("=") for one in RULES.literals("argument")}
    assert named == set(VOCABULARY.arguments) - values
    answered = {shape: {one for one, tool in plain.items() if tool.result == shape} for shape in ("change", "done")}
    assert set(RULES.literals("change_result")) - {" ", ": "} == answered["change"]
    assert set(RULES.literals("done_result")) - {": *done*"} == answered["done"]
    assert RULES.literals("damage_result")[0] == next(tool.name for tool in ROLLS if not tool.dice)


def test_the_keys_of_the_grammar_are_keys_of_a_sheet() -> None:
    keys = [one[:-2] for one in RULES.literals("sheet_line") if one.endswith(": ")]
    assert len(keys) == 12
    assert all(field_of(key) for key in keys)


def test_the_attribution_that_the_licence_asks_for_is_on_the_page() -> None:
    said = " ".join(PAGE.split())
    for part in (
        "Wizards of the Coast LLC",
        "https://www.dndbeyond.com/srd",
        "creativecommons.org/licenses/by/4.0/legalcode",
    ):
        assert part in said
