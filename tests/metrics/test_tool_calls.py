from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.metrics import NO_CALL, Call, TurnCase, align, judge_calls, judge_turn, same_value
from studio.scenarios import Vocabulary, load_vocabulary

VOCABULARY = load_vocabulary()


def test_the_cases_are_the_dm_turns_with_what_was_asked_and_given(cellar: list[TurnCase]) -> None:
    assert [case.key for case in cellar] == [f"cellar.md#{index}" for index in (1, 3, 5, 7, 9)]
    assert [[one.tool_name for one in case.expected] for case in cellar] == [
        ["stealth"],
        [],
        ["attack"],
        ["damage"],
        [],
    ]
    assert [[roll.line.total for roll in case.rolls] for case in cellar] == [[], [16], [], [19], [7]]
    assert cellar[1].rolls[0].success is True
    assert cellar[3].rolls[0].success is None  # no dc was given
    assert [case.actor.name for case in cellar if case.actor] == ["Sarah", "Sarah", "Thorin", "Thorin", "Thorin"]
    assert cellar[1].context[-1].role == "tool"
    assert cellar[0].scenario_type == "exploration"


@pytest.mark.parametrize(
    ("text", "exact", "decides", "malformed"),
    [
        ("Quiet.\n\n[roll: stealth, dc=15]", True, True, 0),
        ("Quiet.\n\n[Roll: Sneak, DC=15]", True, True, 0),  # another spelling of the same request
        ("Quiet.\n\n[roll: stealth]", False, True, 0),
        ("Quiet.\n\n[roll: stealth, dc=12]", False, True, 0),
        ("Quiet.\n\n[roll: stealth, dc=15, advantage]", False, True, 0),
        ("Quiet.\n\n[roll: stealth, dc=15, who=Sarah]", True, True, 0),  # she is the one who acts anyway
        ("Quiet.\n\n[roll: stealth, dc=15, who=Thorin]", False, True, 0),
        ("Quiet.\n\n[roll: perception, dc=15]", False, True, 0),
        ("Quiet.\n\n[roll: stealth, dc=15]\n[roll: stealth, dc=15]", False, True, 0),
        ("Quiet.\n\n[roll: sneakiness]", False, False, 1),
        ("Quiet.\n\n[roll: stealth, dc=hard]", False, False, 1),
        ("Quiet.", False, False, 0),
        ("", False, False, 0),
        ("`[roll: stealth, dc=15]`", False, False, 0),  # in a code span it is no request
    ],
)
def test_a_call_is_judged_by_what_the_engine_would_do(
    cellar: list[TurnCase], vocabulary: Vocabulary, text: str, exact: bool, decides: bool, malformed: int
) -> None:
    verdict = judge_calls(cellar[0], text, vocabulary)
    assert (verdict.exact, verdict.decides_right, len(verdict.malformed)) == (exact, decides, malformed)


@pytest.mark.parametrize(
    ("text", "malformed"),
    [
        ("[roll stealth, dc=15]", ("[roll stealth, dc=15]",)),
        ("{roll: stealth}", ("{roll: stealth}",)),
        ("Go. (roll: stealth) Now.", ("(roll: stealth)",)),
        ("<roll: stealth", ("<roll: stealth",)),
        ("[roll: stealth] and [ROLL perception]", ("[ROLL perception]",)),
        ("`[roll stealth]`", ()),  # in a code span
        ("A drum (roll after roll) sounds, and thunder [rolls] on.", ()),
        ("You roll: a barrel (roll of copper) and a bun.", ()),
    ],
)
def test_what_only_looks_like_a_request_is_malformed_and_prose_about_rolls_is_not(
    cellar: list[TurnCase], vocabulary: Vocabulary, text: str, malformed: tuple[str, ...]
) -> None:
    assert judge_calls(cellar[0], text, vocabulary).malformed == malformed


def test_a_call_where_none_was_expected_is_needless(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    verdict = judge_calls(cellar[1], "*SUCCESS* [roll: perception]", vocabulary)
    assert not verdict.decides_right
    assert [pair.labels for pair in verdict.pairs] == [(NO_CALL, "perception")]


def test_missing_wrong_and_extra_arguments_are_told_apart(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    match = judge_calls(cellar[2], "[roll: attack, target=the orc, advantage]", vocabulary).pairs[0].arguments
    assert match is not None
    assert (match.right, match.wrong, match.missing, match.extra) == ((), ("target",), ("weapon",), ("advantage",))


def test_leaving_out_an_optional_argument_is_acceptable_but_not_exact(
    cellar: list[TurnCase], vocabulary: Vocabulary
) -> None:
    match = judge_calls(cellar[2], "[roll: attack, target=the goblin]", vocabulary).pairs[0].arguments
    assert match is not None
    assert match.acceptable
    assert not match.exact


def test_a_required_argument_that_is_missing_is_not_acceptable(vocabulary: Vocabulary) -> None:
    expected = Call(tool="hit_points", arguments={"amount": "-6", "who": "Thorin"})
    pairs = align([expected], [Call(tool="hit_points", arguments={"who": "Thorin"})], vocabulary)
    assert pairs[0].arguments is not None
    assert not pairs[0].arguments.acceptable


def test_calls_are_paired_by_tool_and_then_by_arguments_whatever_their_order(vocabulary: Vocabulary) -> None:
    loss = Call(tool="hit_points", arguments={"amount": "-6", "who": "Sarah"})
    gain = Call(tool="hit_points", arguments={"amount": "4", "who": "Thorin"})
    combat = Call(tool="begin_combat")
    pairs = align([loss, combat, gain], [gain, loss, combat], vocabulary)
    assert len(pairs) == 3
    assert all(pair.exact for pair in pairs)


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("dice", "1d6+3", "3+1d6", True),
        ("dice", "d6+3", "1d6 + 3", True),
        ("dice", "1d6+3", "1d6-3", False),
        ("dice", "2d6", "1d6+1d6", False),  # the same average, another throw
        ("amount", "-6", "−6", True),
        ("amount", "+4", "4", True),
        ("amount", "-4", "4", False),
        ("dc", "15", "15", True),
        ("dc", "15", "16", False),
        ("target", "the Goblin", "goblin", True),
        ("target", "goblin archer", "archer goblin", True),
        ("target", "goblin", "dragon", False),
        ("who", "Sarah", "sarah", True),
        ("who", "Sarah", "Thorin", False),
        ("level", "1st", "2nd", False),
    ],
)
def test_values_are_compared_by_the_type_of_the_argument(name: str, one: str, other: str, same: bool) -> None:
    assert same_value(name, one, other, VOCABULARY) is same


TOOLS = st.sampled_from(["stealth", "perception", "attack", "begin_combat"])
CALLS = st.lists(st.builds(Call, tool=TOOLS), max_size=5)


@settings(deadline=None)
@given(CALLS, CALLS)
def test_pairing_loses_no_call_and_finds_every_possible_match(expected: list[Call], generated: list[Call]) -> None:
    pairs = align(expected, generated, VOCABULARY)
    assert sorted(pair.expected.tool for pair in pairs if pair.expected) == sorted(one.tool for one in expected)
    assert sorted(pair.generated.tool for pair in pairs if pair.generated) == sorted(one.tool for one in generated)
    common = {one.tool for one in expected} & {one.tool for one in generated}
    possible = sum(min([c.tool for c in expected].count(t), [c.tool for c in generated].count(t)) for t in common)
    assert sum(pair.exact for pair in pairs) == possible


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_judging_raise_and_the_verdict_survives_a_file(text: str) -> None:
    case = _any_case()
    verdict = judge_turn(case, text, VOCABULARY)
    assert type(verdict).model_validate_json(verdict.model_dump_json()) == verdict


def test_what_the_authors_wrote_is_right_in_every_shipped_turn(shipped: list[TurnCase], vocabulary: Vocabulary) -> None:
    wrong = [case.key for case in shipped if not judge_turn(case, case.authored, vocabulary).right]
    assert len(shipped) > 200
    assert wrong == []


def test_scenarios_of_one_name_get_different_keys(make_case: Callable[[str], TurnCase]) -> None:
    from studio.metrics import scenario_cases
    from studio.scenarios import MarkdownParser
    from tests.metrics.conftest import TEXT

    scenario = MarkdownParser(VOCABULARY).parse_text(TEXT)
    keys = [case.key for case in scenario_cases([scenario, scenario], VOCABULARY)]
    assert len(set(keys)) == len(keys) == 10


def _any_case() -> TurnCase:
    from studio.metrics import turn_cases
    from studio.scenarios import MarkdownParser
    from tests.metrics.conftest import TEXT

    return turn_cases(MarkdownParser(VOCABULARY).parse_text(TEXT), VOCABULARY)[3]
