"""Long conversations: windows as long as can be in few renders, with or without a recap; and training pairs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from studio.bases import BaseModel, ConversationRenderer, RenderedConversation
from studio.bases.families import MessageLike
from studio.dataset import Cut, TrainingDataProcessor, cut_conversation
from studio.dataset.windows import exchanges_of, pair_windows
from studio.scenarios import MarkdownParser, Message, find_directives, load_vocabulary, to_messages
from studio.scenarios.recap import MARK, TITLE, SceneRecap
from studio.workspace import PROJECT_ROOT, Workspace
from tests.dataset.stories import story

SHIPPED = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))
LIMITS = (800, 1100, 1500, 2048)


class Counting:
    """A renderer that counts."""

    def __init__(self, base: BaseModel) -> None:
        self._renderer = ConversationRenderer(base.tokenizer(), base.template())
        self.tokenizer = self._renderer.tokenizer
        self.calls = 0

    def render(self, messages: Sequence[MessageLike]) -> RenderedConversation:
        self.calls += 1
        return self._renderer.render(messages)


@pytest.fixture(scope="module", params=["smollm2", "gemma3"])
def renderer(request: pytest.FixtureRequest) -> Counting:
    return Counting(request.getfixturevalue(request.param))


def messages_of(path: Path) -> list[Message]:
    return to_messages(MarkdownParser().parse_scenario(path))


def greedy(messages: list[Message], renderer: Counting, limit: int) -> list[tuple[range, list[int]]]:
    """What windows are, the long way: one exchange more until it is too much."""
    head, turns = messages[:1], messages[1:]
    exchanges, found, first = exchanges_of(turns), [], 0
    while first < len(exchanges):
        last = first + 1
        while last < len(exchanges):
            longer = renderer.render(head + turns[exchanges[first].start : exchanges[last].stop])
            if len(longer.ids) > limit:
                break
            last += 1
        span = range(exchanges[first].start, exchanges[last - 1].stop)
        found.append((span, renderer.render(head + turns[span.start : span.stop]).ids))
        first = last
    return found


def test_windows_are_the_longest_that_fit_and_take_about_two_renders_each(renderer: Counting) -> None:
    renders = windows = 0
    for path in SHIPPED:
        messages = messages_of(path)
        for limit in LIMITS:
            renderer.calls = 0
            cut = cut_conversation(messages, renderer, limit)  # type: ignore[arg-type]
            renders += renderer.calls - 1
            pieces = len(cut.windows) + len(cut.too_long)
            windows += pieces if pieces > 1 else 0
            expected = greedy(messages, renderer, limit)
            assert [(one.turns, one.rendered.ids) for one in cut.windows] == [
                (span, ids) for span, ids in expected if len(ids) <= limit
            ]
            assert cut.too_long == [(span, len(ids)) for span, ids in expected if len(ids) > limit]
    assert renders <= 2.3 * windows


def test_a_very_long_scene_takes_no_more_renders_per_window(smollm2: BaseModel) -> None:
    counting = Counting(smollm2)
    messages = to_messages(MarkdownParser().parse_text(story("long", exchanges=150)))
    cut = cut_conversation(messages, counting, 4096)  # type: ignore[arg-type]
    assert len(cut.windows) > 5
    assert counting.calls <= 3 * len(cut.windows) + 1


def recapped(path: Path, renderer: Counting, limit: int) -> tuple[list[Message], Cut]:
    messages = messages_of(path)
    return messages, cut_conversation(messages, renderer, limit, recap=SceneRecap(messages))  # type: ignore[arg-type]


def test_a_recap_stands_in_the_system_block_of_every_window_but_the_first(smollm2: BaseModel) -> None:
    counting = Counting(smollm2)
    told = 0
    for path in SHIPPED:
        messages, cut = recapped(path, counting, 1100)
        for window in cut.windows:
            text = window.rendered.text
            assert len(window.rendered.ids) <= 1100
            assert text.count(TITLE) <= (window.turns.start > 0)
            if TITLE in text:
                told += 1
                recap = SceneRecap(messages)(window.turns.start)
                turns = messages[1:][window.turns.start : window.turns.stop]
                expected = [Message("system", f"{messages[0].content}\n\n{recap}"), *turns]
                assert window.rendered.ids == counting.render(expected).ids
                assert MARK in text.split("<|im_end|>")[0]
    assert told > 20


def test_no_token_of_a_recap_is_trained(smollm2: BaseModel) -> None:
    _, cut = recapped(SHIPPED[0], Counting(smollm2), 1100)
    for window in cut.windows:
        system = window.rendered.spans[0]
        assert system.role == "system"
        assert not any(window.rendered.mask[system.tokens.start : system.tokens.stop])


def test_a_recap_is_quoted_from_the_turns_before_it_and_asks_for_nothing() -> None:
    vocabulary = load_vocabulary()
    for path in SHIPPED:
        messages = messages_of(path)
        recap, turns = SceneRecap(messages), messages[1:]
        assert recap(0) == ""
        for exchange in exchanges_of(turns)[1:]:
            text = recap(exchange.start)
            assert text == SceneRecap(messages)(exchange.start)
            assert not find_directives(text, vocabulary)
            assert len(text) < 1800
            said = next(one.content for one in reversed(turns[: exchange.start]) if one.role == "user")
            quoted = next(line for line in text.splitlines() if line.startswith("- The player said: "))
            quoted = quoted.removeprefix("- The player said: ").removeprefix("... ")
            assert " ".join(said.split()).endswith(quoted)


def test_a_recap_knows_the_rolls_their_outcome_and_whether_there_is_a_fight() -> None:
    messages = messages_of(PROJECT_ROOT / "data" / "scenarios" / "combat" / "tavern-brawl.md")
    turns = messages[1:]
    recap = SceneRecap(messages)
    knock_out = next(i for i, one in enumerate(turns) if one.content.startswith("I wait until"))
    assert "The party is in combat." in recap(knock_out)
    assert "attack 19 (SUCCESS); damage 9" in recap(knock_out)
    assert "Chris, what do you do?" in recap(knock_out)
    after = next(i for i, one in enumerate(turns) if one.content.startswith("I crawl out"))
    assert "in combat" not in recap(after)


def test_the_recap_is_off_unless_asked_for_and_changes_the_fingerprint(
    workspace: Workspace, smollm2: BaseModel
) -> None:
    folder = Path(shutil.copytree(SHIPPED[0].parent, workspace.scenarios_dir / "combat"))
    plain, told = (
        TrainingDataProcessor(workspace, smollm2, 1100, recap=recap).process_scenarios(folder)
        for recap in (False, True)
    )
    tokenizer = smollm2.tokenizer()
    assert plain.fingerprint != told.fingerprint
    assert not any(TITLE in tokenizer.decode(row.input_ids) for row in plain.rows("train"))
    assert any(TITLE in tokenizer.decode(row.input_ids) for row in told.rows("train"))


@pytest.mark.parametrize("limit", [900, 4096])
def test_a_training_pair_is_everything_that_fits_and_one_trained_turn(renderer: Counting, limit: int) -> None:
    for path in SHIPPED[:4]:
        messages = messages_of(path)
        head, turns = messages[:1], messages[1:]
        answers = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
        cut = pair_windows(messages, renderer, limit)  # type: ignore[arg-type]
        assert sorted([one.turns.stop - 1 for one in cut.windows] + [span.start for span, _ in cut.too_long]) == answers
        starts = [exchange.start for exchange in exchanges_of(turns)]
        for window in cut.windows:
            start, stop = window.turns.start, window.turns.stop
            whole = renderer.render(head + turns[start:stop])
            assert window.rendered.ids == whole.ids
            assert window.rendered.mask == [i in whole.spans[-1].trained for i in range(len(whole.ids))]
            earlier = [one for one in starts if one < start]
            assert not earlier or len(renderer.render(head + turns[earlier[-1] : stop]).ids) > limit


def test_pairs_make_one_row_per_dm_turn(workspace: Workspace, smollm2: BaseModel) -> None:
    folder = Path(shutil.copytree(SHIPPED[0].parent, workspace.scenarios_dir / "combat"))
    processor = TrainingDataProcessor(workspace, smollm2, 4096, validation_fraction=0.0, pairs=True)
    rows = list(processor.process_scenarios(folder).rows("train"))
    scenarios = [MarkdownParser().parse_scenario(path) for path in sorted(folder.glob("*.md"))]
    assert len(rows) == len(processor.create_training_pairs(scenarios))
    tokenizer = smollm2.tokenizer()
    for row in rows:
        turn = MarkdownParser().parse_scenario(folder / row.source).conversation[row.turns[1] - 1]
        learned = [token for token, learn in zip(row.input_ids, row.loss_mask, strict=True) if learn]
        assert tokenizer.decode(learned, skip_special_tokens=False) == f"{turn.content}<|im_end|>"
