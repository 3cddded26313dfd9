"""The language as a whole: any text is read without an exception, printed back byte for byte, and fixed to an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.scenarios import (
    FixedText,
    MarkdownParser,
    fix_text,
    format_directive,
    format_result,
    load_vocabulary,
    parse_result_line,
    parse_tree,
    read_text,
    to_messages,
)
from studio.scenarios.directives import find_directives
from studio.scenarios.tree import Tree
from studio.workspace import PROJECT_ROOT

SEED = Path(__file__).with_name("seed_example.md")
FILES = [SEED, *sorted((PROJECT_ROOT / "data").rglob("*.md")), *sorted((PROJECT_ROOT / "config").rglob("*.md"))]
PARSER = MarkdownParser()
VOCABULARY = load_vocabulary()
ROLLS = [tool for tool in VOCABULARY.tools if tool.rolls]
PIECES = [
    *("<SYSTEM>", "</SYSTEM>", "<User>", "</User>", "<DM>", "</DM>", "<TOOLCALL>", "</TOOLCALL>", "< gm", "<player>"),
    *("---\n", "title: x\n", "diagnostics: {W003: off}\n", "<!--", "-->", "# Role\n", "# Party\n", "## Sarah\n"),
    *("- Level 3\n", "- Health: 1/2\n", "- Skills: Stealth +7\n", "- Attacks: Bow +5 (1d6+3)\n", "```\n", "`", "~~~"),
    *("[roll: stealth]", "[roll: ", "[hit points: -6, who=Sarah]", "[begin combat", "[rol: percption, dc=x]", "]", "["),
    *("stealth: 15 (advantage: 7, 15) + 7(skill) = *22*", "stealth: 1 + 2 = *4*", "*SUCCESS*", "*FAILED*", "success"),
    *(
        "\n",
        "\r\n",
        "\r",
        "\t",
        "\x00",
        "\ufeff",
        "\u00a0",
        "\u2028",
        "\udce9",
        "é",
        "🎲",
        " ",
        "a: b",
        "*",
        "=",
        "+",
        "9" * 30,
    ),
]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=40).map("".join)
BYTES = st.binary(max_size=200).map(lambda one: one.decode("utf-8", "surrogateescape"))


def printed(tree: Tree) -> str:
    """The text that the nodes of a tree cover, one after the other."""
    return "".join(tree.text[node.start : node.end] for node in tree.nodes)


def printed_by_parts(tree: Tree) -> str:
    """The same from the three parts of each node: opening mark, body, closing mark."""
    parts = ((one.start, one.body_start, one.body_end, one.end) for one in tree.nodes)
    text = tree.text
    return "".join(text[start:body] + text[body:body_end] + text[body_end:end] for start, body, body_end, end in parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_file_is_printed_back_byte_for_byte(path: Path) -> None:
    tree = parse_tree(read_text(path))
    assert printed(tree).encode("utf-8") == path.read_bytes()
    assert printed_by_parts(tree) == printed(tree)


def test_the_seed_example_has_its_parts_and_no_error() -> None:
    tree = parse_tree(read_text(SEED))
    assert [node.block for node in tree.nodes if node.kind == "block"] == [
        *("SYSTEM", "User", "DM", "TOOLCALL", "DM", "User", "DM", "TOOLCALL", "DM")
    ]
    assert all(node.is_closed for node in tree.nodes if node.kind == "block")
    assert PARSER.validate_format(read_text(SEED)).errors == []


@settings(max_examples=400, deadline=None)
@given(st.one_of(TEXTS, st.text(), BYTES))
@example("---\n---\n")
@example("<DM")
@example("<!--<!---->")
def test_any_text_is_printed_back_byte_for_byte(text: str) -> None:
    tree = parse_tree(text)
    assert printed(tree) == text
    assert printed_by_parts(tree) == text
    assert all(one.end == after.start for one, after in zip(tree.nodes, tree.nodes[1:], strict=False))


@settings(max_examples=300, deadline=None)
@given(st.one_of(TEXTS, st.text(), BYTES))
def test_any_text_gives_a_scenario_and_diagnostics_inside_it(text: str) -> None:
    scenario = PARSER.parse_text(text)
    assert all(message.role in ("system", "user", "assistant", "tool") for message in to_messages(scenario))
    scenario.model_dump_json()
    for one in PARSER.validate_format(text).diagnostics:
        assert 0 <= one.span.start <= one.span.end <= len(text)
        assert one.span.line >= 1
        assert one.span.column >= 1
        assert one.fix is None or 0 <= one.fix.start <= one.fix.end <= len(text)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_file_is_read_without_losing_a_byte(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.md"
    path.write_bytes(content)
    assert printed(parse_tree(read_text(path))).encode("utf-8", "surrogateescape") == content
    PARSER.parse_scenario(path)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_safe_fixes_come_to_an_end_and_add_no_turn(text: str) -> None:
    fixed = fix_text(text, PARSER)
    assert fix_text(fixed.text, PARSER) == FixedText(fixed.text, 0, fixed.diagnostics)
    assert len(PARSER.extract_conversation(fixed.text)) <= len(PARSER.extract_conversation(text))


@given(st.sampled_from(ROLLS), st.data())
def test_a_request_that_is_printed_is_read_back_the_same(tool: object, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(tool.arguments), unique=True) if tool.arguments else st.just([]))
    declared = VOCABULARY.arguments
    values = {name: declared[name].example or "true" for name in chosen}
    if {"advantage", "disadvantage"} <= set(values):
        del values["disadvantage"]
    text = format_directive(tool, values)
    (directive,) = find_directives(f"Before {text} after", VOCABULARY)
    assert (directive.tool, directive.arguments, directive.written) == (tool, values, text)
    assert directive.problems == ()


@given(st.sampled_from(ROLLS), st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(-9, 30), st.booleans())
def test_a_result_that_is_printed_is_read_back_the_same(
    tool: object, dice: list[int], bonus: int, advantage: bool
) -> None:
    dice = dice[:1] if tool.dice else dice
    pair = (dice[0], 1) if advantage and tool.dice else None
    line = format_result(
        tool.name, dice, bonus, tool.label, actor="Sarah", mode="advantage" if pair else None, pair=pair
    )
    read = parse_result_line(line, VOCABULARY)
    assert (read.tool, read.actor, list(read.dice), read.bonus) == (tool, "Sarah", dice, bonus)
    assert (read.total, read.pair, read.problems) == (sum(dice) + bonus, pair, ())
    assert read.canonical == line
