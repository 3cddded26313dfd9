"""The dataset in words, and the tokens of a stored row: the text that was rendered, told from the ids alone."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.bases import BaseModel, ConversationRenderer, token_views
from studio.config import BalanceConfig
from studio.dataset import TrainingDataProcessor, TrainingRow
from studio.jobs import JobState, Progress
from studio.scenarios import Message
from studio.ui.dataset import (
    balance_sentence,
    concerns,
    editor_file,
    kinds_found,
    progress_sentence,
    row_tokens,
    turns_words,
)
from studio.workspace import PROJECT_ROOT, Workspace, atomic_write

WORDS = "Ça va? — «Naïve» 🐉🎲 — ﬁn. 日本語\n\n  two  spaces, <|im_end|> and a \u200btrick."


def conversation(said: str) -> list[Message]:
    return [Message("system", said), Message("user", said), Message("assistant", said)]


def stored(renderer: ConversationRenderer, said: str) -> TrainingRow:
    rendered = renderer.render(conversation(said))
    return TrainingRow(
        source="combat/a.md", scenario_type="combat", turns=(0, 2), input_ids=rendered.ids, loss_mask=rendered.mask
    )


@pytest.mark.parametrize("base", ["smollm2", "gemma3"])
def test_a_stored_row_shows_the_tokens_that_were_rendered(base: str, request: pytest.FixtureRequest) -> None:
    model: BaseModel = request.getfixturevalue(base)
    renderer = ConversationRenderer(model.tokenizer(), model.template())
    rendered = renderer.render(conversation(WORDS))
    views = row_tokens(stored(renderer, WORDS), renderer.tokenizer, renderer.control_ids)
    assert views == token_views(rendered, control=renderer.control_ids)


@pytest.fixture(scope="module")
def kept(smollm2: BaseModel) -> ConversationRenderer:
    return ConversationRenderer(smollm2.tokenizer(), smollm2.template())


@given(said=st.text(max_size=40))
def test_the_texts_of_a_rows_tokens_add_up_to_what_the_model_reads(kept: ConversationRenderer, said: str) -> None:
    """Not always what was written: SmolLM2's tokenizer has no token for some bytes of the planes nobody writes in."""
    row = stored(kept, said)
    views = row_tokens(row, kept.tokenizer, kept.control_ids)
    read = kept.tokenizer.decode(row.input_ids, skip_special_tokens=False)
    assert "".join(one.text for one in views) == read
    assert [(one.id, one.trained) for one in views] == list(zip(row.input_ids, row.loss_mask, strict=True))


def test_half_a_character_at_the_end_of_a_row_is_shown_as_such(kept: ConversationRenderer) -> None:
    dragon = kept.tokenizer.encode("🐉", add_special_tokens=False).ids
    assert len(dragon) > 1
    row = TrainingRow(source="a", scenario_type="combat", turns=(0, 1), input_ids=dragon[:-1], loss_mask=[True] * 2)
    views = row_tokens(row, kept.tokenizer, kept.control_ids)
    assert [one.id for one in views] == dragon[:-1]
    assert "\ufffd" in "".join(one.text for one in views)


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("combat/tavern-brawl.md", "combat/tavern-brawl"),
        ("mixed/a.b.md", "mixed/a.b"),
        ("validation/harbor-night.md", None),
        ("variations/combat/a.md", None),
        ("notes.md", None),
        ("combat/deep/er.md", None),
    ],
)
def test_only_what_is_in_the_library_opens_in_the_editor(source: str, file: str | None) -> None:
    assert editor_file(source) == file


def test_turns_are_counted_from_one() -> None:
    assert turns_words((0, 14)) == "turns 1 to 14"
    assert turns_words((4, 5)) == "turn 5"


def test_a_balance_is_one_sentence() -> None:
    assert "every row is read once" in balance_sentence(BalanceConfig())
    told = balance_sentence(BalanceConfig(by=["type", "call"], method="repeats", strength=0.5, cap=3))
    assert all(part in told for part in ("Scenario types, asking or not", "repeat rows", "50%", "3 times"))


def test_a_job_tells_how_far_it_is() -> None:
    def at(done: int, total: int, left: float | None = None) -> str:
        progress = Progress(done=done, total=total, unit="scenarios")
        return progress_sentence(JobState(kind="preprocess", progress=progress, seconds_left=left))

    assert at(0, 0) == "Looking at the files"
    assert at(1280, 2000, 12.0) == "1,280 of 2,000 scenarios, 12 s left"
    assert "writing the rows" in at(2000, 2000)


def test_what_is_wrong_with_a_dataset_is_named_and_counted(workspace: Workspace, smollm2: BaseModel) -> None:
    shutil.copytree(PROJECT_ROOT / "data" / "scenarios" / "combat", workspace.scenarios_dir / "combat")
    atomic_write(workspace.scenarios_dir / "combat" / "none.md", "<User>Hello?</User>\n")
    processor = TrainingDataProcessor(workspace, smollm2, 4096, validation_fraction=0.0)
    manifest = processor.process_scenarios(workspace.scenarios_dir).manifest
    assert kinds_found(manifest.report) == {"excluded file": 1}
    [left_out, held_out] = concerns(manifest)
    assert left_out.startswith("1 part ")
    assert held_out.startswith("Nothing is held out")
