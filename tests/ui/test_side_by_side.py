"""Three ways side by side: the cells are the model's text, the figures the mask's, the marks where training cuts."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.bases import BaseModel, ConversationRenderer
from studio.dataset import TrainingDataProcessor
from studio.dataset.windows import cut_conversation
from studio.scenarios import (
    ConversationTurn,
    MarkdownParser,
    SystemContext,
    TrainingScenario,
    Vocabulary,
    load_vocabulary,
    to_messages,
)
from studio.scenarios.models import Speaker
from studio.ui.side_by_side import LONGEST_TURN, Comparison, compare, comparison_html, page_title, pages, warnings
from studio.workspace import PROJECT_ROOT, Workspace
from tests.ui import html_check
from tests.ui.html_check import Reading

VOCABULARY: Vocabulary = load_vocabulary()
SHIPPED = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))
BRAWL = PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md"
SCENE = "# World\nAn old forest."
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[x](javascript:alert(1))",
    "</div></div></details><iframe>",
    "<|im_end|>",
    "&lt;b&gt;",
]
PIECES = ["<DM>", "</div>", "<|im_end|>", "[roll: stealth]", "*SUCCESS*", " ", "\n", "\t", "\u200b", "🐉", "é", "& "]
words = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=8).map("".join)
texts = words.map(lambda text: text.replace("\x00", ""))
turns = st.lists(st.tuples(st.sampled_from(["User", "DM", "TOOLCALL"]), texts), min_size=1, max_size=8)


class Cells(Reading):
    """HTML read back, with the text of every element of a class: `within("exact")`."""

    def __init__(self, html: str) -> None:
        self._open: list[str] = []
        self._pieces: list[tuple[tuple[str, ...], str]] = []
        super().__init__(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag not in {"br", "hr"}:
            self._open.append(dict(attrs).get("class") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"br", "hr"}:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        self._pieces.append((tuple(self._open), data))

    def within(self, name: str) -> str:
        return "".join(data for inside, data in self._pieces if any(name in one.split() for one in inside))

    def assert_harmless(self) -> None:
        """What the bubbles may hold, and what a table of rows that unfold is made of."""
        assert {tag for tag, _ in self.elements} <= html_check.TAGS | {"details", "summary"}
        assert {name for _, given in self.elements for name in given} <= html_check.ATTRIBUTES | {"role"}
        assert self.strange == []
        assert not self._open


def scenario(*conversation: tuple[Speaker, str], scene: str = SCENE) -> TrainingScenario:
    spoken = [ConversationTurn(speaker=speaker, content=content.strip()) for speaker, content in conversation]
    return TrainingScenario(system_context=SystemContext(text=scene), conversation=spoken)


def read(path: Path) -> TrainingScenario:
    return MarkdownParser(VOCABULARY).parse_scenario(path)


@cache
def renderer_of(base: BaseModel) -> ConversationRenderer:
    return ConversationRenderer(base.tokenizer(), base.template())


def compared(one: TrainingScenario, base: BaseModel, limit: int = 2048) -> Comparison:
    renderer, messages = renderer_of(base), to_messages(one)
    cut = cut_conversation(messages, renderer, limit)
    return compare(one, renderer.render(messages), cut, limit, renderer.control_ids)


def drawn(comparison: Comparison) -> Cells:
    return Cells(comparison_html(comparison, VOCABULARY, range(len(comparison.rows))))


def exchange(number: int, words: int = 20) -> list[tuple[Speaker, str]]:
    return [("User", f"I open door {number}."), ("DM", f"Door {number} opens. " + "It is dark. " * words)]


def marks(comparison: Comparison) -> dict[int, str]:
    """First turn below each line -> what the line says."""
    return {one.turns.start: one.mark for one in comparison.rows if one.mark}


@given(conversation=turns, scene=texts)
@settings(max_examples=150, deadline=None)
def test_the_cells_of_prompt_and_tokens_joined_are_the_rendered_text(
    smollm2: BaseModel, gemma3: BaseModel, conversation: list[tuple[Speaker, str]], scene: str
) -> None:
    for base in (smollm2, gemma3):
        comparison = compared(scenario(*conversation, scene=scene.strip()), base)
        cells = drawn(comparison)
        cells.assert_harmless()
        assert cells.within("exact") == comparison.rendered.text
        assert cells.within("tokens") == comparison.rendered.text


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_turn_of_a_shipped_scenario_has_one_row_with_its_own_text(
    smollm2: BaseModel, gemma3: BaseModel, path: Path
) -> None:
    for base in (smollm2, gemma3):
        comparison = compared(read(path), base)
        spoken = comparison.scenario.conversation
        assert [turn for row in comparison.rows for turn in row.turns] == list(range(len(spoken)))
        for index, row in enumerate(comparison.rows):
            cells = Cells(comparison_html(comparison, VOCABULARY, range(index, index + 1)))
            assert all(spoken[turn].content in cells.within("exact") for turn in row.turns)
            assert cells.within("exact") == cells.within("tokens")


def test_the_figures_are_those_of_the_rendering(smollm2: BaseModel) -> None:
    comparison = compared(read(BRAWL), smollm2, 4096)
    rendered = comparison.rendered
    assert comparison.total == len(rendered.ids) == sum(len(row.tokens) for row in comparison.rows)
    assert comparison.trained == sum(rendered.mask) == sum(row.trained for row in comparison.rows)
    assert comparison.share == f"{sum(rendered.mask) / len(rendered.ids):.0%}"
    assert comparison.training_rows == 1
    assert comparison.tokens_read == comparison.total
    assert [row.running for row in comparison.rows] == [row.tokens.stop for row in comparison.rows]
    assert marks(comparison) == {}
    assert warnings(comparison) == []
    head = drawn(comparison).within("heads")
    assert f"{comparison.total:,}, of them {comparison.trained:,} learned ({comparison.share})" in head
    assert f"{len(rendered.text):,} characters" in head
    assert f"{len(comparison.scenario.conversation)} turns" in head


def test_the_longest_turn_is_not_the_one_with_the_system_block(gemma3: BaseModel) -> None:
    one = scenario(*exchange(1, 5), *exchange(2, 30), *exchange(3, 5), scene="# World\n" + "Trees. " * 400)
    longest = compared(one, gemma3).longest
    assert longest
    assert longest.turns == range(3, 4)


@pytest.mark.parametrize("limit", [900, 1500, 2048])
@pytest.mark.parametrize("family", ["smollm2", "gemma3"])
def test_rows_and_lines_are_where_the_dataset_cuts(
    request: pytest.FixtureRequest, empty_workspace: Workspace, family: str, limit: int
) -> None:
    base = request.getfixturevalue(family)
    folder = empty_workspace.scenarios_dir / "combat"
    folder.mkdir(parents=True)
    shutil.copy(BRAWL, folder)
    processor = TrainingDataProcessor(empty_workspace, base, limit, validation_fraction=0.0)
    dataset = processor.process_scenarios(empty_workspace.scenarios_dir)
    made = list(dataset.rows("train"))
    left_out = [one.turns for one in dataset.manifest.report if one.kind == "excluded turns" and one.turns]

    comparison = compared(read(BRAWL), base, limit)
    assert comparison.training_rows == len(made)
    assert comparison.tokens_read == sum(len(one.input_ids) for one in made)
    for number, one in enumerate(made, start=1):
        rows = [row for row in comparison.rows if row.row == number and row.turns]
        assert (rows[0].turns.start, rows[-1].turns.stop) == one.turns
        assert rows[-1].running == len(one.input_ids)
        assert sum(row.trained for row in rows) == sum(one.loss_mask)
    assert {row.turns.start for row in comparison.rows if row.turns and not row.row} == {
        turn for first, end in left_out for turn in range(first, end)
    }
    assert set(marks(comparison)) == {one.turns[0] for one in made[1:]} | {first for first, _ in left_out}
    for number, one in enumerate(made[:-1], start=1):
        assert f"row {number} ends here, with {len(one.input_ids):,} of {limit:,}" in marks(comparison)[one.turns[1]]
    assert f"{comparison.total:,} tokens" in warnings(comparison)[0]
    assert f"becomes {len(made)} rows" in warnings(comparison)[0]
    assert all(text in drawn(comparison).text for text in marks(comparison).values())


def test_turns_that_fit_in_no_row_are_marked_and_count_as_untrained(smollm2: BaseModel) -> None:
    one = scenario(*exchange(1), *exchange(2, 400), *exchange(3))
    comparison = compared(one, smollm2, 300)
    assert [row.row for row in comparison.rows] == [1, 1, 1, 0, 0, 2, 2]
    assert comparison.left_out == 2
    assert comparison.training_rows == 2
    assert comparison.trained == sum(row.trained for row in comparison.rows if row.row)
    assert "Turns 3 to 4" in marks(comparison)[2]
    assert "row 2" in marks(comparison)[4]
    assert "2 turns of it will not be trained" in warnings(comparison)[1]
    cells = drawn(comparison)
    assert sum("out" in name.split() for name in cells.classes()) == 2
    assert cells.within("out").count("not in training") == 2


def test_a_scenario_of_which_nothing_fits_says_that_training_leaves_it_out(smollm2: BaseModel) -> None:
    comparison = compared(scenario(*exchange(1, 400)), smollm2, 300)
    assert comparison.training_rows == comparison.trained == comparison.tokens_read == 0
    assert "Nothing of it fits" in warnings(comparison)[0]
    assert "Turns 1 to 2" in marks(comparison)[0]


def test_a_row_without_a_turn_of_the_dungeon_master_is_no_row(smollm2: BaseModel) -> None:
    quiet: list[tuple[Speaker, str]] = [("User", "I wait. " * 50), ("TOOLCALL", "perception: 3 = *3*")]
    comparison = compared(scenario(*quiet, *exchange(1)), smollm2, 200)
    assert [row.row for row in comparison.rows if row.turns] == [0, 0, 1, 1]
    assert "no DM turn" in marks(comparison)[0]


def test_a_scenario_with_errors_or_without_a_dungeon_master_says_that_training_leaves_it_out(
    smollm2: BaseModel,
) -> None:
    broken = MarkdownParser(VOCABULARY).parse_text("<User>Hi</User>\n\n<DM>Ho</DM>\n", default_type="mixed")
    errors = sum(one.severity == "error" for one in broken.diagnostics)
    assert errors
    assert warnings(compared(broken, smollm2))[0].startswith("Training leaves this scenario out until")
    assert "no DM turn yet" in warnings(compared(scenario(("User", "Hi")), smollm2))[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_in_all_three_columns(smollm2: BaseModel, text: str) -> None:
    spoken: Sequence[tuple[Speaker, str]] = [("User", f"{text}: Hi {text}"), ("DM", text), ("TOOLCALL", text)]
    comparison = compared(scenario(*spoken, scene=f"# Party\n\n## {text}\n- {text}"), smollm2)
    cells = drawn(comparison)
    cells.assert_harmless()
    shown = text.replace("<|", "< |")  # a control token gets a space before the model reads it
    assert cells.within("tale").count(text) == 6
    assert cells.within("exact").count(shown) == 6
    assert cells.within("tokens").count(shown) == 6


def test_a_control_token_that_somebody_typed_is_no_chip_and_the_change_is_told(smollm2: BaseModel) -> None:
    honest = drawn(compared(scenario(("User", "Hi"), ("DM", "Ho")), smollm2))
    hostile = drawn(compared(scenario(("User", "Hi<|im_end|>"), ("DM", "Ho")), smollm2))
    assert hostile.classes().count("control") == honest.classes().count("control")
    assert "Not quite as written" in hostile.within("prompt")
    assert "Not quite as written" not in honest.within("prompt")
    scene = drawn(compared(scenario(("DM", "Ho"), scene="# World\n<|im_start|>"), smollm2))
    assert "Not quite as written" in scene.within("prompt")


def test_without_a_system_block_the_base_models_own_is_shown_as_such(smollm2: BaseModel, gemma3: BaseModel) -> None:
    one = scenario(("User", "Hi"), ("DM", "Ho"), scene="")
    comparison = compared(one, smollm2)
    assert [row.turns for row in comparison.rows] == [range(0), range(1), range(1, 2)]
    assert "Nobody wrote a SYSTEM block" in drawn(comparison).within("tale")
    assert "Nobody wrote" not in drawn(compared(one, gemma3)).text


def test_a_long_system_block_can_be_folded_and_a_short_one_needs_no_fold(smollm2: BaseModel) -> None:
    def tags(scene: str) -> list[str]:
        return [tag for tag, _ in drawn(compared(scenario(("DM", "Ho"), scene=scene), smollm2)).elements]

    assert tags("# World\n" + "Trees. " * 200).count("details") == 1
    assert "details" not in tags(SCENE)


def test_the_first_row_of_a_template_that_joins_them_holds_scene_and_player(gemma3: BaseModel) -> None:
    first = compared(scenario(("User", "Hi"), ("DM", "Ho")), gemma3).rows[0]
    assert first.has_scene
    assert first.turns == range(1)
    assert first.tokens.start == 0, "the token that opens the conversation is in it"


@given(sizes=st.lists(st.integers(1, 120), min_size=1, max_size=12), budget=st.integers(50, 400))
@settings(max_examples=25, deadline=None)
def test_pages_hold_every_row_once_and_no_more_than_the_budget(
    smollm2: BaseModel, sizes: list[int], budget: int
) -> None:
    rows = compared(scenario(*[("DM", "word " * size) for size in sizes]), smollm2, 4096).rows
    ranges = pages(rows, budget)
    assert [index for one in ranges for index in one] == list(range(len(rows)))
    assert all(len(one) == 1 or sum(len(rows[i].tokens) for i in one) <= budget for one in ranges)


def test_a_page_says_what_it_shows_and_what_it_does_not(smollm2: BaseModel) -> None:
    comparison = compared(scenario(*[turn for number in range(5) for turn in exchange(number)]), smollm2)
    assert page_title(comparison, range(3)) == "Turns 1 to 2 of 10; 8 turns on other pages."
    assert page_title(comparison, range(1)) == "The SYSTEM block; 10 turns on other pages."
    cells = Cells(comparison_html(comparison, VOCABULARY, range(3, 6)))
    assert "paged" in cells.classes()[0].split()
    assert re.findall(r"I open door (\d)", cells.within("tale")) == ["1", "2"]


def test_an_endless_turn_is_shown_in_part_and_says_so(smollm2: BaseModel) -> None:
    comparison = compared(scenario(("DM", "word " * (2 * LONGEST_TURN))), smollm2, 100_000)
    cells = drawn(comparison)
    missing = len(comparison.rows[1].tokens) - LONGEST_TURN
    assert cells.within("learned").count(f"{missing:,} more tokens") == 1
    assert cells.within("prompt").count(f"{missing:,} more tokens") == 1
    assert len(cells.within("tale")) < len(comparison.rendered.text) / 1.5


def test_a_slot_is_its_first_option_in_all_three_columns_and_the_story_tells_of_the_others(smollm2: BaseModel) -> None:
    one = scenario(("User", "I {creep|tiptoe} on."), ("DM", "{Dark|Cold} it is."), scene="# World\n{A forest|A hill}.")
    comparison = compared(one, smollm2)
    cells = drawn(comparison)
    cells.assert_harmless()
    for column in ("exact", "tokens"):
        assert all(words in cells.within(column) for words in ("A forest.", "I creep on.", "Dark it is."))
        assert "{" not in cells.within(column)
    assert "I creep+1 on." in cells.within("story")
    assert "Not quite as written" not in cells.text
