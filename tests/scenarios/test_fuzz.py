"""Bad input: more than 20,000 broken texts, and none of them makes the language raise, lose a letter or run away.

Every case is checked for everything in `properties.py`. The texts come from two sources: built from the tokens of the
language by hypothesis, and files mutated by `mutations.py`. Both are the same in every run; STUDIO_FUZZ_SEED tries
others.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.scenarios import read_text
from studio.scenarios.markdown import _CONTEXTUAL, _commonmark_headings, _plain_headings, headings
from tests.scenarios.mutations import TOKENS, corpus, mutant, nasty_files
from tests.scenarios.properties import check_case

SEED = int(os.environ.get("STUDIO_FUZZ_SEED", "2026"))
BATCHES, PER_BATCH, BUILT = 6, 2_950, 2_500
LEAST = 20_000

TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
LONG = st.tuples(st.sampled_from(TOKENS), st.integers(20, 400)).map(lambda one: one[0] * one[1])
PIECES = st.lists(st.one_of(st.sampled_from(TOKENS), st.sampled_from(TOKENS), TEXT), max_size=24).map("".join)
TAGS = st.sampled_from(
    ("SYSTEM", "User", "DM", "TOOLCALL", "dm", "Gm", " player ", "D M", "tool-call", "/DM", "DM/", "Usr")
)
REQUEST = st.tuples(
    st.sampled_from(("[roll: ", "[Roll:", "[ roll ：", "［roll: ", "[", "[hit points: ")),
    st.sampled_from(("stealth", "Perception", "attack", "-6", "percption", "", "d20")),
    st.sampled_from(("", ", dc=15", ",dc = “15”", ", advantage, disadvantage", ", target=Ork 🎲, who=Søren", ", x")),
    st.sampled_from(("]", "] ", "］", "", "](u)")),
).map("".join)
RESULT = st.tuples(
    st.sampled_from(("stealth", "Stealth", "initiative (Sarah)", "percption", "- damage", "hit points")),
    st.sampled_from((": ", ":", " ： ")),
    st.sampled_from(("12 + 5(skill)", "12 – 1(skill)", "15 (advantage: 7, 15) + 7(skill)", "4 + 2 + 3(bonus)", "")),
    st.sampled_from((" = *17*", "=17", " = **22**", "", " = *")),
).map("".join)
SAID = st.one_of(PIECES, REQUEST, RESULT, LONG)
BLOCK = st.tuples(TAGS, st.lists(SAID, max_size=4).map("\n".join), TAGS).map(
    lambda one: f"<{one[0]}>{one[1]}</{one[2]}>"
)
HEAD = st.lists(st.sampled_from((*TOKENS, "a: b\n", "- ", "? ", "{", "[", "\n")), max_size=8).map("".join)
FRONT_MATTER = HEAD.map(lambda head: f"---\n{head}\n---\n")
DOCUMENTS = st.tuples(
    st.sampled_from(("", "", "\ufeff")),
    st.one_of(st.just(""), FRONT_MATTER),
    st.lists(st.one_of(BLOCK, BLOCK, PIECES), max_size=6).map("\n\n".join),
    st.sampled_from(("\n", "\n", "\r\n", "\r")),
).map(lambda one: (one[0] + one[1] + one[2]).replace("\n", one[3]))

MANY: Callable[[Callable[..., None]], Callable[..., None]] = settings(
    max_examples=BUILT, deadline=None, database=None, derandomize=SEED == 2026,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)  # fmt: skip


def test_the_cases_below_are_more_than_twenty_thousand() -> None:
    assert BATCHES * PER_BATCH + BUILT >= LEAST


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_files_break_no_property(batch: int) -> None:
    checked = 0
    for number in range(PER_BATCH):
        text = mutant(SEED + batch, number)
        try:
            check_case(text)
        except Exception as error:
            raise AssertionError(f"mutant({SEED + batch}, {number}) is {text!r}") from error
        checked += 1
    assert checked == PER_BATCH


def test_texts_built_from_the_language_break_no_property() -> None:
    checked = 0

    @MANY
    @given(DOCUMENTS)
    def check(text: str) -> None:
        nonlocal checked
        check_case(text)
        checked += 1

    check()
    assert checked >= BUILT


@pytest.mark.parametrize("path", nasty_files(), ids=lambda path: path.stem)
def test_nasty_files_break_no_property_wherever_they_are_cut(path: object) -> None:
    text = read_text(path)  # type: ignore[arg-type]
    check_case(text)
    for place in range(0, len(text), max(1, len(text) // 40)):
        check_case(text[:place])
        check_case(text[place:])


def test_mutants_are_many_and_different() -> None:
    assert len(corpus()) >= 20
    assert len({mutant(SEED, number) for number in range(500)}) > 480
    assert mutant(SEED, 7) == mutant(SEED, 7)


@settings(max_examples=1_500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (*("# ", "## ", "#", "####### x", "\n", "\n\n", " ", "    ", "\t", "- ", "* ", "1. ", "10) ", "> ", "```"),
             *("`", "~~~", "===", "---", "--", "=", "a", "Role", "#x", "<b>", "<!--", "\\#", " #", "[a]: b", "| a |"),
             *("\u00a0", "\u2028", "\x0b", "\x0c", "\r", "\r\n", "\x00", "é", "## ##", "+ ", "  - x\n", "\x85", "\x1c"))
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
def test_headings_read_line_by_line_are_those_of_commonmark(text: str) -> None:
    if _CONTEXTUAL.search(f"\n{text}\n") is None:
        assert list(_plain_headings(text)) == list(_commonmark_headings(text))
    found = headings(text)
    assert all(
        0 <= one.start <= one.end <= one.body_start <= one.body_end <= len(text) or one.end == len(text)
        for one in found
    )
