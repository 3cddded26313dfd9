"""From scenario files to rows: what is trained, what is cut where, what is left out and why, and the same twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.bases import BaseModel, get_base
from studio.dataset import SPLITS, ProcessedDataset, Split, TrainingDataProcessor, TrainingRow
from studio.dataset.augmentation import AugmentationPlan, AugmentationStore
from studio.dataset.splits import split_of
from studio.dataset.variations import propose
from studio.errors import DatasetError
from studio.scenarios import MarkdownParser, find_directives, load_vocabulary, to_messages
from studio.workspace import PROJECT_ROOT, Workspace
from tests.dataset.stories import story, write_stories

SCENARIOS = PROJECT_ROOT / "data" / "scenarios"
BRAWL = SCENARIOS / "combat" / "tavern-brawl.md"


def process(workspace: Workspace, folder: Path, limit: int = 1024, fraction: float = 0.0) -> ProcessedDataset:
    base = get_base(workspace, "smollm2-135m-instruct")
    return TrainingDataProcessor(workspace, base, limit, validation_fraction=fraction).process_scenarios(folder)


def sources(dataset: ProcessedDataset, split: Split) -> set[str]:
    return {row.source for row in dataset.rows(split)}


def rows(dataset: ProcessedDataset) -> list[TrainingRow]:
    return [*dataset.rows("train"), *dataset.rows("validation")]


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    """The shipped scenarios in the fresh workspace."""
    return Path(shutil.copytree(SCENARIOS, workspace.scenarios_dir))


def test_every_dm_turn_is_trained_and_nothing_else(workspace: Workspace, folder: Path, smollm2: BaseModel) -> None:
    tokenizer = smollm2.tokenizer()
    for row in rows(process(workspace, folder, limit=4096)):
        scenario = MarkdownParser().parse_scenario(folder / row.source)
        answers = [turn.content for turn in scenario.conversation[slice(*row.turns)] if turn.speaker == "DM"]
        trained = [token for token, learn in zip(row.input_ids, row.loss_mask, strict=True) if learn]
        assert tokenizer.decode(trained, skip_special_tokens=False) == "".join(f"{text}<|im_end|>" for text in answers)


@pytest.mark.parametrize("limit", [800, 1024, 2048, 4096])
def test_every_turn_is_in_one_row_or_in_the_report(workspace: Workspace, folder: Path, limit: int) -> None:
    dataset = process(workspace, folder, limit)
    for source in dataset.manifest.scenarios:
        turns = len(MarkdownParser().parse_scenario(folder / source).conversation)
        ranges = [row.turns for row in rows(dataset) if row.source == source]
        ranges += [row.turns for row in dataset.manifest.report if row.source == source and row.turns]
        assert sorted(index for start, end in ranges for index in range(start, end)) == list(range(turns))
    assert all(len(row.input_ids) <= limit for row in rows(dataset))


def test_a_row_begins_with_the_system_block_and_a_player(
    workspace: Workspace, folder: Path, smollm2: BaseModel
) -> None:
    tokenizer = smollm2.tokenizer()
    for row in rows(process(workspace, folder)):
        scenario = MarkdownParser().parse_scenario(folder / row.source)
        text = tokenizer.decode(row.input_ids, skip_special_tokens=False)
        assert text.startswith(f"<|im_start|>system\n{to_messages(scenario)[0].content}<|im_end|>\n")
        assert row.turns[0] == 0 or scenario.conversation[row.turns[0]].speaker == "User"


def test_a_request_and_its_result_are_never_cut_apart(workspace: Workspace, folder: Path) -> None:
    vocabulary = load_vocabulary()
    asked = 0
    for row in rows(process(workspace, folder, limit=800)):
        turns = MarkdownParser().parse_scenario(folder / row.source).conversation
        last = turns[row.turns[1] - 1]
        assert turns[row.turns[0]].speaker != "TOOLCALL"
        if row.turns[1] < len(turns) and turns[row.turns[1]].speaker == "TOOLCALL":
            pytest.fail(f"{row.source} is cut before the result of turn {row.turns[1] - 1}")
        asked += any(find_directives(turn.content, vocabulary) for turn in turns[slice(*row.turns)])
        assert last.speaker != "TOOLCALL" or row.turns[1] == len(turns)
    assert asked > 0


def test_a_file_with_errors_is_left_out_with_its_reason(workspace: Workspace, folder: Path) -> None:
    broken = folder / "combat" / "broken.md"
    broken.write_text(BRAWL.read_text().replace("= *", "= *9", 1))
    assert any(one.severity == "error" for one in MarkdownParser().parse_scenario(broken).diagnostics)
    dataset = process(workspace, folder)
    (report,) = [row for row in dataset.manifest.report if row.source == "combat/broken.md"]
    assert report.kind == "excluded file"
    assert report.reason
    assert report.line
    assert all(row.source != "combat/broken.md" for row in rows(dataset))


def test_the_workspaces_own_tools_and_rules_decide_what_an_error_is(workspace: Workspace, folder: Path) -> None:
    broken = folder / "combat" / "broken.md"
    broken.write_text(BRAWL.read_text().replace("= *", "= *9", 1))
    code = next(one.code for one in MarkdownParser().parse_scenario(broken).diagnostics if one.severity == "error")
    strict = process(workspace, folder)
    workspace.config_dir.mkdir()
    shipped = (PROJECT_ROOT / "config" / "diagnostics.yaml").read_text()
    (workspace.config_dir / "diagnostics.yaml").write_text(
        shipped.replace("severity: {}", f"severity: {{{code}: info}}")
    )
    lenient = process(workspace, folder)
    assert sources(lenient, "train") - sources(strict, "train") == {"combat/broken.md"}

    cooking = BRAWL.read_text().replace("[roll: athletics", "[roll: cooking").replace("athletics: ", "cooking: ")
    (folder / "combat" / "kitchen.md").write_text(cooking)
    asked = {tool for row in process(workspace, folder).features("train") for tool in row.amounts["tool"]}
    assert "cooking" not in asked
    tools = (PROJECT_ROOT / "config" / "tools.yaml").read_text()
    own = tools.replace("  perception: {", "  cooking: {kind: skill, ability: wisdom, help: Cook.}\n  perception: {", 1)
    (workspace.config_dir / "tools.yaml").write_text(own)
    asked = {tool for row in process(workspace, folder).features("train") for tool in row.amounts["tool"]}
    assert "cooking" in asked


def test_the_report_names_files_that_came_after_the_rows_were_made(workspace: Workspace, folder: Path) -> None:
    before = process(workspace, folder)
    (folder / "combat" / "zz.md").write_bytes(BRAWL.read_bytes())
    after = process(workspace, folder)
    assert after.fingerprint == before.fingerprint
    new = [row for row in after.manifest.report if row not in before.manifest.report]
    assert [(row.source, row.kind) for row in new] == [("combat/zz.md", "duplicate")]
    (folder / "combat" / "zz.md").unlink()
    assert process(workspace, folder).manifest == before.manifest


def test_a_file_without_a_dm_turn_is_left_out_with_its_reason(workspace: Workspace, folder: Path) -> None:
    text = BRAWL.read_text()
    (folder / "quiet.md").write_text(text[: text.index("</SYSTEM>")] + "</SYSTEM>\n\n<User>Hello?</User>\n")
    report = [row for row in process(workspace, folder).manifest.report if row.source == "quiet.md"]
    assert [row.kind for row in report] == ["excluded file"]


def test_scenarios_in_the_validation_folder_are_always_held_out(workspace: Workspace, folder: Path) -> None:
    workspace.validation_dir.mkdir(parents=True)
    shutil.copyfile(BRAWL, workspace.validation_dir / "kept-aside.md")
    dataset = process(workspace, folder)
    assert {row.source for row in dataset.rows("validation")} == {"validation/kept-aside.md"}
    assert "combat/tavern-brawl.md" not in {row.source for row in rows(dataset)}
    report = {row.source: row.kind for row in dataset.manifest.report if row.kind == "held out"}
    assert report == {"combat/tavern-brawl.md": "held out"}


def test_no_scenario_moves_when_others_are_added_but_a_stand_in_back_to_training(
    workspace: Workspace, smollm2: BaseModel
) -> None:
    """Over many splits and three rounds of additions: unrelated scenarios, and near-duplicates with longer names."""

    def sides(seed: int) -> dict[str, Split]:
        processor = TrainingDataProcessor(workspace, smollm2, 1024, validation_fraction=0.3, split_seed=seed)
        dataset = processor.process_scenarios(folder)
        return {row.source: split for split in SPLITS for row in dataset.rows(split)}

    folder = write_stories(workspace.scenarios_dir, 4)
    seeds, stand_ins = range(20), 0
    before = {seed: sides(seed) for seed in seeds}
    for start in (10, 20, 30):
        write_stories(folder, 3, start=start)
        write_stories(folder, 2, kind="roleplay", start=start + 5)
        (folder / "combat" / f"story-{start:03}-told-again.md").write_text(story(start, extra="And so it ends."))
        (folder / "combat" / f"story-000-since-{start}.md").write_text(story(0, extra=f"It was the year {start}."))
        for seed in seeds:
            after = sides(seed)
            moved = {name for name in before[seed] if after[name] != before[seed][name]}
            assert all(before[seed][name] == "validation" for name in moved)
            assert all(after[name] == split_of(name, 0.3, seed=seed) == "train" for name in moved if _leads(name))
            stand_ins += len(moved)
            before[seed] = after
    assert len({tuple(sorted(one.items())) for one in before.values()}) == len(seeds)  # so many splits were looked at
    assert stand_ins  # the exception was seen, too


def _leads(name: str) -> bool:
    """Whether a story is the first of its near-duplicates."""
    return "again" not in name and "since" not in name


def test_the_share_that_is_held_out_is_the_one_asked_for() -> None:
    held_out = sum(split_of(f"combat/scenario-{number}.md", 0.1) == "validation" for number in range(10_000))
    assert 900 < held_out < 1100


def test_the_same_folder_gives_the_same_fingerprint_and_rows_elsewhere(
    workspace: Workspace, folder: Path, smollm2: BaseModel, tmp_path: Path
) -> None:
    first = process(workspace, folder)
    other = Workspace(tmp_path / "another machine")
    moved = Path(shutil.copytree(folder, tmp_path / "somewhere else"))
    second = TrainingDataProcessor(other, smollm2, 1024, validation_fraction=0.0).process_scenarios(moved)
    assert first.fingerprint == second.fingerprint
    assert (first.directory / "train.arrow").read_bytes() == (second.directory / "train.arrow").read_bytes()


def test_the_fingerprint_changes_with_text_and_settings(workspace: Workspace, folder: Path) -> None:
    prints = {process(workspace, folder).fingerprint, process(workspace, folder, limit=1500).fingerprint}
    copy = folder / "combat" / "tavern-brawl.md"
    copy.write_text(copy.read_text() + "\n")
    prints.add(process(workspace, folder).fingerprint)
    assert len(prints) == 3


def test_an_unchanged_folder_is_processed_once(workspace: Workspace, folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    processor = TrainingDataProcessor(workspace, get_base(workspace, "smollm2-135m-instruct"), 1024)
    first = processor.process_scenarios(folder, lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(first.manifest.scenarios), len(first.manifest.scenarios))
    calls.clear()
    assert processor.process_scenarios(folder, lambda done, total: calls.append((done, total))) == first
    assert calls == []


def test_the_counts_are_those_of_the_rows(workspace: Workspace, folder: Path) -> None:
    dataset = process(workspace, folder, fraction=0.3)
    for split in SPLITS:
        found = list(dataset.rows(split))
        counts = dataset.manifest.counts[split]
        assert counts.rows == len(found)
        assert counts.tokens == sum(len(row.input_ids) for row in found)
        assert counts.trained_tokens == sum(sum(row.loss_mask) for row in found)
        assert counts.longest_row == max((len(row.input_ids) for row in found), default=0)
        assert counts.trained_share == counts.trained_tokens / max(counts.tokens, 1)
        assert sum(counts.scenarios_by_type.values()) == len({row.source for row in found})


def test_nothing_to_train_on_is_a_clear_error(workspace: Workspace, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError):
        process(workspace, empty)
    (empty / "bad.md").write_text("no turns here")
    with pytest.raises(DatasetError) as caught:
        process(workspace, empty)
    assert "bad.md" in caught.value.why
    with pytest.raises(DatasetError):
        process(workspace, tmp_path / "missing")


def test_a_damaged_dataset_is_a_clear_error(workspace: Workspace, folder: Path) -> None:
    dataset = process(workspace, folder)
    (dataset.directory / "train.arrow").write_text("{}\n")
    with pytest.raises(DatasetError):
        list(dataset.rows("train"))
    (dataset.directory / "train.arrow").unlink()
    with pytest.raises(DatasetError):
        list(dataset.rows("train"))
    (dataset.directory / "dataset.json").write_text("[]")
    with pytest.raises(DatasetError):
        ProcessedDataset.load(dataset.directory)


def test_a_training_pair_is_a_dm_turn_with_all_that_came_before(workspace: Workspace) -> None:
    scenario = MarkdownParser().parse_scenario(BRAWL)
    processor = TrainingDataProcessor(workspace, get_base(workspace, "smollm2-135m-instruct"), 1024)
    pairs = processor.create_training_pairs([scenario])
    turns = [index for index, turn in enumerate(scenario.conversation) if turn.speaker == "DM"]
    assert [pair.turn for pair in pairs] == turns
    for pair in pairs:
        assert pair.completion.content == scenario.conversation[pair.turn].content
        assert pair.prompt == to_messages(scenario)[: pair.turn + 1]


def test_a_tenth_is_held_out_by_chance_only_where_nobody_chose_what_to_hold_out(
    workspace: Workspace, folder: Path, smollm2: BaseModel
) -> None:
    def held_out() -> set[str]:
        return sources(TrainingDataProcessor(workspace, smollm2, 4096).process_scenarios(folder), "validation")

    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.md")}
    by_chance = {name for name in names if split_of(name, 0.1) == "validation"}
    assert by_chance
    assert held_out() == by_chance
    shutil.copytree(PROJECT_ROOT / "data" / "validation", workspace.validation_dir)
    assert held_out() == {"validation/harbor-night.md", "validation/roadside-shrine.md"}


def test_rows_that_another_base_made_are_this_bases_too(workspace: Workspace, folder: Path, smollm2: BaseModel) -> None:
    first = process(workspace, folder)
    twin = BaseModel(smollm2.directory, smollm2.manifest.model_copy(update={"name": "twin"}))
    second = TrainingDataProcessor(workspace, twin, 1024, validation_fraction=0.0).process_scenarios(folder)
    assert (second.directory, second.fingerprint) == (first.directory, first.fingerprint)
    assert (first.manifest.base_model, second.manifest.base_model) == (smollm2.name, "twin")


def test_accepted_variations_count_as_their_scenarios_type_and_can_be_switched_off(
    workspace: Workspace, folder: Path, smollm2: BaseModel
) -> None:
    brawl = folder / "combat" / "tavern-brawl.md"
    brawl.write_text(brawl.read_text().replace("scenario_type: combat\n", ""))  # so that its folder decides
    without = TrainingDataProcessor(workspace, smollm2, 2048).process_scenarios(folder)
    plan = AugmentationPlan(operations=("entity renaming", "party order", "re-rolled dice"))
    made = propose(workspace, ["combat/tavern-brawl.md"], plan, 7).made
    AugmentationStore(workspace).decide([one.name for one in made], "accepted")
    dataset = TrainingDataProcessor(workspace, smollm2, 2048).process_scenarios(folder)
    varied = [one for split in SPLITS for one in dataset.listing(split) if one.source.startswith("variations/")]
    assert {one.source for one in varied} == {f"variations/{one.name}" for one in made}
    assert {one.scenario_type for one in varied} == {"combat"}
    assert not [row for row in dataset.manifest.report if row.kind in ("near duplicate", "variation")]
    assert dataset.fingerprint != without.fingerprint
    switched_off = TrainingDataProcessor(workspace, smollm2, 2048, variations=False).process_scenarios(folder)
    assert switched_off.fingerprint == without.fingerprint
