"""Models broken on purpose, on the shipped held-out scenarios: every fault shows where it should, and only there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from studio.metrics import NO_CALL, Summary, TurnCase, compare, judge_turn, summarize
from studio.scenarios import Vocabulary
from tests.metrics.conftest import DATA, shipped_cases

HELD_OUT = sorted((DATA / "validation").glob("*.md"))
REQUEST = re.compile(r"\s*\[roll: (\w+)([^\]]*)\]")
OUTCOME = re.compile(r"^\*(?:SUCCESS|FAILED)\*\s*")
Answer = Callable[[TurnCase], str]
REFUSAL = "I'm sorry, but I can't help with that. As an AI I have no dice at all."
CHATTER = "You wait a while, and the wind goes over the empty road."
GERMAN = "Der Wirt sieht dich lange an und schüttelt den Kopf, und in der Ecke lacht jemand."
SHEETS = ("misspelled_names", "foreign_items", "wrong_hit_points")
NARRATIVE = ("faithful", *SHEETS, "speaks_for_player", "out_of_role", "copies_earlier_turn", "english")


def without_requests(case: TurnCase) -> str:
    """The author's turn, asking for nothing."""
    return REQUEST.sub("", case.authored).strip()


def always_asks(case: TurnCase) -> str:
    return case.authored if "[roll:" in case.authored else f"{case.authored}\n\n[roll: perception]"


def other_tool(case: TurnCase) -> str:
    return REQUEST.sub(lambda found: f"\n\n[roll: {'arcana' if found[1] != 'arcana' else 'history'}]", case.authored)


def other_difficulty(case: TurnCase) -> str:
    return re.sub(r"dc=(\d+)", lambda found: f"dc={int(found[1]) + 1}", case.authored)


def always_succeeds(case: TurnCase) -> str:
    return f"*SUCCESS* {OUTCOME.sub('', case.authored)}"


def forgets_the_outcome(case: TurnCase) -> str:
    return OUTCOME.sub("", case.authored)


def rolls_its_own(case: TurnCase) -> str:
    """It does not wait for the dice: after every request it writes the result itself."""
    return REQUEST.sub(lambda found: f"{found[0]}\n\n{found[1]}: 19 + 5(skill) = *24*", case.authored)


def adds(sentence: str) -> Answer:
    """The author's turn with one sentence more."""
    return lambda case: f"{case.authored}\n\n{sentence}"


def misspelled(pattern: str) -> Answer:
    """Every request written in another way, `{0}` the tool and `{1}` its arguments."""
    return lambda case: REQUEST.sub(lambda found: "\n\n" + pattern.format(found[1], found[2]), case.authored)


@pytest.fixture(scope="module")
def cases(vocabulary: Vocabulary) -> list[TurnCase]:
    return shipped_cases(vocabulary)


@pytest.fixture(scope="module")
def score(cases: list[TurnCase], vocabulary: Vocabulary) -> Callable[[Answer], Summary]:
    return lambda answer: summarize([judge_turn(case, answer(case), vocabulary) for case in cases], seed=7)


def in_the_files(pattern: str) -> int:
    """Counted in the text of the files, by no code of ours."""
    return sum(len(re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)) for path in HELD_OUT)


TURNS = in_the_files(r"^<DM>")
ASKS = in_the_files(r"^\[roll:")
TOLD = in_the_files(r"^<DM>\*(?:SUCCESS|FAILED)\*")
NAMED = 8  # of the turns answer a player who began with `Tollen:` or `Sorrel:`
BOTH = in_the_files(r"^<DM>\*(?:SUCCESS|FAILED)\*[^<]*\[roll:")
WITH_DC = in_the_files(r"^\[roll: [^\]]*dc=")

GOOD = {
    "turn_right": 1.0,
    "call_accuracy": 1.0,
    "call_precision": 1.0,
    "call_recall": 1.0,
    "call_f1": 1.0,
    "tool_accuracy": 1.0,
    "argument_accuracy": 1.0,
    "call_exact": 1.0,
    "malformed": 0.0,
    "outcome_told": 1.0,
    "outcome_by_dice": 1.0,
    "outcome_as_author": 1.0,
    "outcome_unasked": 0.0,
    "invented_numbers": 0.0,
    "empty": 0.0,
    "faithful": 1.0,
    **dict.fromkeys(SHEETS, 0.0),
    "speaks_for_player": 0.0,
    "out_of_role": 0.0,
    "copies_earlier_turn": 0.0,
    "english": 1.0,
}
"""What a model scores that answers as the author did; a broken one differs in what `BROKEN` says of it."""
NO_REQUESTS: dict[str, float | None] = {
    "call_accuracy": 1 - ASKS / TURNS,
    "call_precision": None,  # it never asks, so there is nothing to be precise about
    "call_recall": 0.0,
    "call_f1": 0.0,
    "tool_accuracy": None,
    "argument_accuracy": None,
    "call_exact": 0.0,
    "turn_right": 1 - ASKS / TURNS,
}
UNREADABLE = {**NO_REQUESTS, "malformed": 1.0}
READ_AS_PROSE = {**UNREADABLE, "english": pytest.approx(1, abs=0.02)}
"""Brackets of another kind: their words are counted with the prose."""
NEVER_TELLS = {"outcome_told": 0.0, "outcome_by_dice": 0.0, "outcome_as_author": 0.0}
IDLE = {
    **NO_REQUESTS,
    **NEVER_TELLS,
    "malformed": None,
    "turn_right": (TURNS - ASKS - TOLD + BOTH) / TURNS,
}
"""Faultless text that neither asks nor tells: right only where the author's turn does neither."""
BROKEN: dict[str, tuple[Answer, Mapping[str, Any]]] = {
    "the author": (lambda case: case.authored, {"malformed": 0.0}),
    "always asks": (
        always_asks,
        {
            "call_accuracy": ASKS / TURNS,
            "call_precision": ASKS / TURNS,
            "call_f1": 2 * ASKS / (ASKS + TURNS),
            "turn_right": ASKS / TURNS,
        },
    ),
    "never asks": (without_requests, {**NO_REQUESTS, "malformed": None}),
    "asks for the wrong tool": (
        other_tool,
        {"tool_accuracy": 0.0, "argument_accuracy": None, "call_exact": 0.0, "turn_right": 1 - ASKS / TURNS},
    ),
    "asks for another difficulty": (
        other_difficulty,
        {
            "argument_accuracy": 1 - WITH_DC / ASKS,
            "call_exact": 1 - WITH_DC / ASKS,
            "turn_right": 1 - WITH_DC / TURNS,
        },
    ),
    "asks twice": (
        misspelled("[roll: {0}{1}]\n[roll: {0}{1}]"),
        {"turn_right": 1 - ASKS / TURNS},
    ),
    "leaves the bracket open": (misspelled("[roll: {0}{1}"), UNREADABLE),
    "leaves out the colon": (misspelled("[roll {0}{1}]"), UNREADABLE),
    "writes round brackets": (misspelled("(roll: {0}{1})"), READ_AS_PROSE),
    "writes curly brackets": (misspelled("{{roll: {0}{1}}}"), READ_AS_PROSE),
    "writes angle brackets": (misspelled("<roll: {0}{1}>"), READ_AS_PROSE),
    "asks for what there is not": (misspelled("[roll: very {0}{1}]"), UNREADABLE),
    "asks for a difficulty in words": (misspelled("[roll: {0}, dc=hard]"), UNREADABLE),
    "always SUCCESS": (
        always_succeeds,
        {
            "outcome_by_dice": 0.5,  # of the four difficulties two were met
            "outcome_as_author": 4 / 6,  # of the six turns that the dice leave open, four were successes
            "outcome_unasked": 1.0,
            "turn_right": (TOLD - 2) / TURNS,
        },
    ),
    "forgets the outcome": (
        forgets_the_outcome,
        {**NEVER_TELLS, "turn_right": 1 - TOLD / TURNS},
    ),
    "rolls its own dice": (
        rolls_its_own,
        {"invented_numbers": ASKS / TURNS, "turn_right": 1 - ASKS / TURNS},
    ),
    **{
        f"errs in the {fault}": (adds(sentence), {"turn_right": 0.0, "faithful": 0.0, fault: 1.0})
        for fault, sentence in zip(
            SHEETS,
            ("You see Tolen and Sorel wait.", "Your halberd is by the door.", "You are at 99/7 and in pain."),
            strict=True,
        )
    },
    "says the same whatever happens": (lambda case: CHATTER, IDLE),
    "echoes the player": (
        lambda case: case.player_text,
        {**IDLE, "turn_right": 0.0, "copies_earlier_turn": 1.0, "speaks_for_player": NAMED / TURNS},
    ),
    "is an assistant": (lambda case: REFUSAL, {**IDLE, "turn_right": 0.0, "out_of_role": 1.0}),
    "speaks German": (lambda case: GERMAN, {**IDLE, "turn_right": 0.0, "english": 0.0}),
    "says nothing": (
        lambda case: "",
        {**IDLE, "turn_right": 0.0, "empty": 1.0, **dict.fromkeys(NARRATIVE)},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_scores_as_it_should(name: str, score: Callable[[Answer], Summary]) -> None:
    answer, faults = BROKEN[name]
    found = score(answer).figures
    assert {figure: found[figure].value for figure in GOOD} == pytest.approx({**GOOD, **faults})


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "the author"])
def test_a_broken_model_is_shown_to_be_worse_than_the_author_in_its_fault_and_in_no_other(
    name: str, cases: list[TurnCase], vocabulary: Vocabulary
) -> None:
    answer, faults = BROKEN[name]
    author, broken = (
        [judge_turn(case, text(case), vocabulary) for case in cases] for text in (BROKEN["the author"][0], answer)
    )
    found = compare(author, broken)
    right = found[0]
    assert [one.name for one in found if one.verdict == "better"] == []
    assert right.second == pytest.approx({**GOOD, **faults}["turn_right"])
    # The exact test shows nothing before six turns changed in one direction: 2 / 2**6 < 0.05 < 2 / 2**5.
    assert right.verdict == ("worse" if len(right.lost) >= 6 else "no difference shown")
    assert len(right.lost) == round((1 - right.second) * TURNS)


def test_a_wrong_tool_stands_off_the_diagonal_of_the_matrix(score: Callable[[Answer], Summary]) -> None:
    matrix = score(other_tool).confusion
    assert sum(counts[row] for row, counts in enumerate(matrix.counts)) == 0
    asked = dict(zip(matrix.labels, zip(*matrix.counts, strict=True), strict=True))
    assert sum(asked["arcana"]) == ASKS
    assert len(matrix.behind("stealth", "arcana")) == 1


def test_a_model_that_never_asks_has_its_whole_matrix_in_the_column_of_no_call(
    score: Callable[[Answer], Summary],
) -> None:
    summary = score(without_requests)
    assert {cell.split(" → ")[1] for cell in summary.confusion.turns} == {NO_CALL}
    assert [(one.made, one.right, one.precision, one.recall) for one in summary.tools] == [(0, 0, None, 0)] * 11


def test_asking_twice_costs_every_tool_half_its_precision(score: Callable[[Answer], Summary]) -> None:
    tools = score(BROKEN["asks twice"][0]).tools
    assert {(one.expected, one.made, one.exact, one.precision, one.recall) for one in tools} == {(1, 2, 1, 0.5, 1.0)}
    assert all(one.faults == one.turns for one in tools)


def test_always_success_is_wrong_just_for_the_skills_whose_dice_failed(score: Callable[[Answer], Summary]) -> None:
    told = {one.tool: (one.outcomes_right, one.outcomes) for one in score(always_succeeds).tools}
    assert (told["survival"], told["sleight_of_hand"]) == ((0, 1), (0, 1))  # totals under the difficulty
    assert (told["persuasion"], told["dexterity_save"]) == ((1, 1), (1, 1))
    assert told["damage"] == (0, 0)  # has no outcome
    assert sum(right for right, _ in told.values()) == TOLD - 2


def test_another_difficulty_is_told_as_the_argument_that_is_wrong(score: Callable[[Answer], Summary]) -> None:
    arguments = {one.argument: one for one in score(other_difficulty).arguments}
    assert (arguments["dc"].right, arguments["dc"].wrong, arguments["dc"].accuracy) == (0, WITH_DC, 0)
    assert len(arguments["dc"].faults) == WITH_DC
    assert {one.accuracy for name, one in arguments.items() if name != "dc"} == {1.0}


def test_leaving_arguments_out_and_adding_them_are_told_apart(score: Callable[[Answer], Summary]) -> None:
    bare = {one.argument: one for one in score(misspelled("[roll: {0}]")).arguments}
    assert (bare["dc"].missing, bare["dc"].accuracy) == (WITH_DC, 0)
    eager = {one.argument: one for one in score(misspelled("[roll: {0}{1}, advantage]")).arguments}
    assert eager["advantage"].extra > 0
    assert eager["advantage"].accuracy is None
    assert eager["dc"].accuracy == 1
