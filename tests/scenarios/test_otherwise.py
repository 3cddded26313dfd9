"""Alternatives marked `otherwise:` and listed entities: what is read of them, and what their slips are told as."""

from __future__ import annotations

import pytest

from studio.scenarios import Diagnostic, MarkdownParser, apply_fixes, parse_tree, to_messages
from studio.scenarios.checks.rule import example_file
from studio.scenarios.entities import listed_entities
from studio.scenarios.otherwise import Slip, find_otherwise

PARSER = MarkdownParser()
ROLLED = (
    "<User>I sneak.</User>\n\n<DM>The guard yawns.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*SUCCESS* You are in.</DM>\n\n"
)
MARKED = ROLLED + "<!-- otherwise:\n<DM>*FAILED* A {dog|cat} hears you.</DM>\n-->\n"


def found(turns: str) -> list[Diagnostic]:
    return [one for one in PARSER.validate_format(example_file("turns", turns)).diagnostics if one.code >= "S027"]


def slips(turns: str) -> set[str]:
    return {one.code for one in found(turns) if "S027" <= one.code <= "S036"}


def test_an_alternative_is_read_and_no_model_sees_it() -> None:
    text = example_file("turns", MARKED)
    tree = parse_tree(text)
    (one,) = find_otherwise(tree)
    assert text[one.start : one.end] == "*FAILED* A {dog|cat} hears you."
    assert (one.success, one.slip, one.told) == (False, None, tree.turns[-1])
    assert slips(MARKED) == set()
    assert "hears you" not in "".join(message.content for message in to_messages(PARSER.parse_text(text)))


def test_several_alternatives_may_follow_one_turn() -> None:
    second = MARKED + "<!-- a note -->\n<!-- OTHERWISE : <DM>*FAILED* A door slams.</DM> -->"
    told = [one.told for one in find_otherwise(parse_tree(second))]
    assert len(told) == 2
    assert told[0] is told[1] is not None
    assert slips(second) == set()


@pytest.mark.parametrize(
    ("comment", "slip"),
    [
        ("<!-- otherwise <DM>*FAILED* No.</DM> -->", Slip.NO_COLON),
        ("<!-- otherwise: you fall -->", Slip.NO_TURN),
        ("<!-- otherwise: <User>*FAILED* No.</User> -->", Slip.NO_TURN),
        ("<!-- otherwise: <DM>*FAILED* No.</DM><DM>More.</DM> -->", Slip.NO_TURN),
        ("<!-- otherwise: <DM>*FAILED* No. -->", Slip.NO_TURN),
        ("<!-- otherwise: <DM>No.</DM> -->", Slip.NO_OUTCOME),
    ],
)
def test_an_alternative_that_cannot_be_read_says_why(comment: str, slip: Slip) -> None:
    (one,) = find_otherwise(parse_tree(ROLLED + comment))
    assert (one.slip, one.success) == (slip, None)
    assert slips(ROLLED + comment) == {"S031"}


@pytest.mark.parametrize("note", ["<!-- otherwise she would have waited -->", "<!-- not otherwise: -->", "<!-- -->"])
def test_a_note_that_only_looks_like_one_is_quiet(note: str) -> None:
    assert find_otherwise(parse_tree(ROLLED + note)) == []
    assert slips(ROLLED + note) == set()


def test_a_forgotten_colon_is_one_click() -> None:
    text = example_file("turns", ROLLED + "<!-- otherwise <DM>*FAILED* No.</DM> -->")
    fixed = apply_fixes(text, PARSER.validate_format(text).diagnostics, unsafe=False)
    (one,) = find_otherwise(parse_tree(fixed))
    assert one.success is False


def test_the_same_outcome_is_turned_by_one_click_and_only_by_one() -> None:
    text = example_file("turns", MARKED.replace("*FAILED*", "*SUCCESS*"))
    problems = PARSER.validate_format(text).diagnostics
    assert "*FAILED*" not in apply_fixes(text, problems, unsafe=False)
    assert apply_fixes(text, problems) == example_file("turns", MARKED)


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ("<User>Hi</User>\n\n<!-- otherwise: <DM>*FAILED* No.</DM> -->\n\n<DM>Well.</DM>", "S032"),
        ("<!-- otherwise: <DM>*FAILED* No.</DM> -->\n\n<User>Hi</User>\n\n<DM>Well.</DM>", "S032"),
        (MARKED.replace("hears you", "[begin combat]"), "S034"),
        (MARKED.replace("{dog|cat}", "{dog|cat"), "S027"),
    ],
)
def test_an_alternative_in_the_wrong_place_or_with_other_requests_is_told(turns: str, code: str) -> None:
    assert slips(turns) == {code}


def test_an_alternative_may_ask_for_the_same_in_other_words() -> None:
    asking = ROLLED.replace("You are in.", "You are in. [condition: hidden]")
    other = "<!-- otherwise: <DM>*FAILED* {Too|So} loud. [condition: hidden]</DM> -->"
    assert slips(asking + other) == set()


# -- slots


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("I {creep|tiptoe}.", set()),
        ("I {very |}gladly {go|run {fast|slowly}}.", set()),
        ("A lone { and } and {} and { } and {1d6} and `{x}` and `{a|b`.", set()),
        ("I {creep|tiptoe.", {"S027"}),
        ("I {creep|{a|b} tiptoe.", {"S027"}),
        ("I {creep}.", {"S028"}),
        ("I {creep|creep}.", {"S028"}),
        ("I {|}.", {"S029"}),
        ("I { | }.", {"S029"}),
        ("I say [well {a|b}].", {"S030"}),
    ],
)
def test_slips_of_slots_are_told_and_ordinary_braces_are_not(said: str, codes: set[str]) -> None:
    assert slips(f"<User>{said}</User>\n\n<DM>Well.</DM>") == codes
    assert all(one.severity != "error" for one in found(f"<User>{said}</User>\n\n<DM>Well.</DM>") if one.code < "T")


def test_a_slot_in_the_system_block_or_an_answer_is_told() -> None:
    assert slips(ROLLED.replace("(skill)", "({skill|bonus})")) == {"S030"}
    text = example_file("turns", ROLLED).replace("# World\nFaerun", "# World\n{Faerun|Eberron}")
    assert "S030" in {one.code for one in PARSER.validate_format(text).diagnostics}
    fixed = apply_fixes(text, PARSER.validate_format(text).diagnostics)
    assert "# World\nFaerun\n" in fixed


@pytest.mark.parametrize("said", ["I {creep|creep}.", "I {|}go.", "I { | }go."])
def test_a_safe_fix_of_a_slot_changes_no_word_that_is_read(said: str) -> None:
    text = example_file("turns", f"<User>{said}</User>\n\n<DM>Well.</DM>")
    fixed = apply_fixes(text, PARSER.validate_format(text).diagnostics, unsafe=False)
    assert "|" not in fixed
    assert to_messages(PARSER.parse_text(fixed)) == to_messages(PARSER.parse_text(text))


# -- entities


def test_entities_are_a_list_or_lists_by_kind() -> None:
    names, refused = listed_entities({"entities": ["Vane", "Crow  Bank"]})
    assert ([(one.name, one.kind) for one in names], refused) == ([("Vane", "name"), ("Crow Bank", "name")], [])
    names, refused = listed_entities({"entities": {"Places": ["Crow Bank"], "items": ["Lamp"], "gods": ["Ao"]}})
    assert ([(one.name, one.kind) for one in names], refused) == ([("Crow Bank", "place"), ("Lamp", "item")], ["gods"])
    assert listed_entities({}) == ([], [])


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("[Sarah, a cellar]", set()),
        ("{places: [CELLAR]}", set()),
        ("[Sarah, Crow Bank]", {"S035"}),
        ("Sarah", {"S036"}),
        ("{places: cellar}", {"S036"}),
        ("{gods: [Ao]}", {"S036"}),
        ("[[Sarah]]", {"S036"}),
        ("['']", {"S036"}),
    ],
)
def test_names_that_occur_nowhere_or_cannot_be_read_are_told(written: str, codes: set[str]) -> None:
    text = f"---\nentities: {written}\n---\n" + example_file("turns", ROLLED)
    problems = [one for one in PARSER.validate_format(text).diagnostics if one.code in ("S035", "S036")]
    assert {one.code for one in problems} == codes
    assert all(text[one.span.start : one.span.end] == "Crow Bank" for one in problems if one.code == "S035")
